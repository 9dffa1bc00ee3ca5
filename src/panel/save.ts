import * as vscode from 'vscode';
import { saveFile } from '../files/save.js';
import { GanderError } from '../errors/errors.js';
import type { AtlasCalls } from '../atlas/protocol.js';
import type { PageMessage } from '../protocol/panel.js';
import type { Trace } from '../trace/model/trace.js';

export type SaveKind = 'trace' | 'csv' | 'svg' | 'png' | 'html' | 'json' | 'pdf' | 'md';

const endings: Record<SaveKind, string> = {
  trace: 'gander.safetensors',
  csv: 'csv',
  svg: 'svg',
  png: 'png',
  html: 'html',
  json: 'vl.json',
  pdf: 'pdf',
  md: 'md',
};

/** Asks where to save, and writes to any file system that the window knows. Undefined if the person cancels. */
export async function save(
  kind: SaveKind,
  name: string,
  data: () => Uint8Array | Promise<Uint8Array>,
): Promise<vscode.Uri | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = `${name.replace(/[\\/:*?"<>|\s]+/g, '-')}.${endings[kind]}`;
  const target = await vscode.window.showSaveDialog({
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, file) }),
    filters: { [filterName(kind)]: [endings[kind].split('.').at(-1)!] },
    title: vscode.l10n.t('Save {0}', file),
  });
  if (!target) return undefined;
  try {
    await write(target, await data());
  } catch (cause) {
    throw new GanderError(
      'io',
      vscode.l10n.t('{0} could not be written.', target.path),
      vscode.l10n.t('Choose another place to save to.'),
      { cause },
    );
  }
  void vscode.window
    .showInformationMessage(vscode.l10n.t('Saved {0}.', target.path.split('/').at(-1) ?? ''), vscode.l10n.t('Open'))
    .then((chosen) => chosen && vscode.commands.executeCommand('vscode.open', target));
  return target;
}

/** On this machine, an old file stays until the new one is complete; other file systems get the bytes directly. */
function write(target: vscode.Uri, bytes: Uint8Array): Thenable<void> {
  return target.scheme === 'file' ? saveFile(target.fsPath, bytes) : vscode.workspace.fs.writeFile(target, bytes);
}

type Written = AtlasCalls['save']['request'] | DrawnMessage;

type DrawnMessage = Exclude<Extract<PageMessage, { type: 'save' }>, { kind: 'trace' }>;

/** Saves what the page drew. @param title of the run */
export async function saveDrawn(message: DrawnMessage, title: string): Promise<void> {
  await save(message.kind, message.name === undefined ? title : `${title} ${message.name}`, () => bytesOf(message));
}

/** What a page drew or wrote, as the bytes of a file. */
export async function bytesOf(message: Written): Promise<Uint8Array> {
  switch (message.kind) {
    case 'png':
      return new Uint8Array(message.data);
    case 'pdf':
      return (await import('../pdf/pdf.js')).pdfOf(message.data);
    case 'csv':
    case 'svg':
    case 'html':
    case 'json':
    case 'md':
      return new TextEncoder().encode(message.data);
  }
}

export async function saveTrace(trace: Trace, name: string): Promise<vscode.Uri | undefined> {
  return save('trace', name, async () => (await import('../trace/file/file.js')).encodeTrace(trace));
}

function filterName(kind: SaveKind): string {
  switch (kind) {
    case 'trace':
      return vscode.l10n.t('Gander trace');
    case 'csv':
      return vscode.l10n.t('Table');
    case 'svg':
    case 'png':
    case 'pdf':
      return vscode.l10n.t('Picture');
    case 'json':
      return vscode.l10n.t('Vega-Lite chart');
    case 'html':
      return vscode.l10n.t('Web page');
    case 'md':
      return vscode.l10n.t('Markdown');
  }
}
