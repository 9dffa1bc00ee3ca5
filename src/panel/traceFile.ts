import * as vscode from 'vscode';
import { GanderError } from '../shared/errors.js';
import type { NamedTrace } from './replayScene.js';

export const traceEnding = '.gander.safetensors';

/** Reads a trace file from whatever file system it lies on. */
export async function readTraceFile(uri: vscode.Uri): Promise<NamedTrace> {
  const name = uri.path.split('/').at(-1) ?? uri.toString();
  let bytes: Uint8Array;
  try {
    bytes = await vscode.workspace.fs.readFile(uri);
  } catch (cause) {
    throw new GanderError(
      'io',
      vscode.l10n.t('{0} could not be read.', name),
      vscode.l10n.t('Check that the file is there and that you may read it.'),
      { cause },
    );
  }
  const { decodeTrace } = await import('../trace/file.js');
  return { name, trace: decodeTrace(bytes) };
}
