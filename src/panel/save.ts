import * as vscode from 'vscode';
import { saveFile } from '../files/save.js';
import { GanderError } from '../errors/errors.js';
import type { Trace } from '../trace/model/trace.js';

export type SaveKind = 'trace' | 'csv' | 'svg' | 'png' | 'html' | 'md';

const endings: Record<SaveKind, string> = {
  trace: 'gander.safetensors',
  csv: 'csv',
  svg: 'svg',
  png: 'png',
  html: 'html',
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
    filters: { [filterName(kind)]: [kind === 'trace' ? 'safetensors' : endings[kind]] },
    title: vscode.l10n.t('Save Routing'),
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
      return vscode.l10n.t('Picture');
    case 'html':
      return vscode.l10n.t('Web page');
    case 'md':
      return vscode.l10n.t('Markdown');
  }
}
