import * as vscode from 'vscode';
import { GanderError } from '../errors/errors.js';
import { importLimits } from '../checks/limits.js';
import { traceEnding } from '../source/file.js';
import type { NamedTrace } from './replayScene.js';

/** What the person adds to a file of another program. */
export interface Beside {
  /** The model's folder on this machine, with its tokenizer.json and config.json. */
  readonly model?: vscode.Uri;
  /** The text that was routed. */
  readonly text?: vscode.Uri;
  /** Experts per token. */
  readonly k?: number;
}

/** Reads a trace file, or imports a file of another program, from any file system. Its size is checked first. */
export async function readTraceFile(uri: vscode.Uri, extension: vscode.Uri, beside: Beside = {}): Promise<NamedTrace> {
  const name = nameOf(uri);
  if (!name.endsWith(traceEnding)) return importFile(uri, extension, beside);
  const { checkTraceSize, decodeTrace } = await import('../trace/file/file.js');
  const { size } = await readable(name, vscode.workspace.fs.stat(uri));
  checkTraceSize(size);
  return { name, trace: decodeTrace(await readable(name, vscode.workspace.fs.readFile(uri))), warnings: [] };
}

async function importFile(uri: vscode.Uri, extension: vscode.Uri, { model, text, k }: Beside): Promise<NamedTrace> {
  const name = nameOf(uri);
  const { checkImportSize } = await import('../import/index.js');
  const { importInChild } = await import('../import/client.js');
  const { size } = await readable(name, vscode.workspace.fs.stat(uri));
  checkImportSize(size);
  const [tokenizer, config] = [
    model && (await there(model, 'tokenizer.json')),
    model && (await there(model, 'config.json')),
  ];
  const imported = await importInChild(
    {
      name,
      bytes: await readable(name, vscode.workspace.fs.readFile(uri)),
      ...(text && { text: new TextDecoder().decode(await bounded(text, importLimits.text)) }),
      ...(tokenizer && { tokenizer: tokenizer.fsPath }),
      ...(config && { config: await bounded(config, importLimits.config) }),
      ...(k !== undefined && { k }),
    },
    { entry: vscode.Uri.joinPath(extension, 'dist', 'import.cjs').fsPath },
  );
  return { name, ...imported };
}

async function there(folder: vscode.Uri, file: string): Promise<vscode.Uri | undefined> {
  const uri = vscode.Uri.joinPath(folder, file);
  try {
    await vscode.workspace.fs.stat(uri);
    return uri;
  } catch {
    return undefined;
  }
}

async function bounded(uri: vscode.Uri, most: number): Promise<Uint8Array> {
  const name = nameOf(uri);
  const { size } = await readable(name, vscode.workspace.fs.stat(uri));
  if (size > most)
    throw new GanderError(
      'import-invalid',
      vscode.l10n.t('{0} is too large.', name),
      vscode.l10n.t('Choose the file that belongs to the routing.'),
    );
  return readable(name, vscode.workspace.fs.readFile(uri));
}

function nameOf(uri: vscode.Uri): string {
  return uri.path.split('/').at(-1) ?? uri.toString();
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
