import * as vscode from 'vscode';
import { GanderError } from '../shared/errors.js';
import type { NamedTrace } from './replayScene.js';

/** Reads a trace file from whatever file system it lies on; not before its size is known. */
export async function readTraceFile(uri: vscode.Uri): Promise<NamedTrace> {
  const name = uri.path.split('/').at(-1) ?? uri.toString();
  const { checkTraceSize, decodeTrace } = await import('../trace/file.js');
  const { size } = await readable(name, vscode.workspace.fs.stat(uri));
  checkTraceSize(size);
  return { name, trace: decodeTrace(await readable(name, vscode.workspace.fs.readFile(uri))) };
}

async function readable<T>(name: string, reading: Thenable<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throw new GanderError(
      'io',
      vscode.l10n.t('{0} could not be read.', name),
      vscode.l10n.t('Check that the file is there and that you may read it.'),
      { cause },
    );
  }
}
