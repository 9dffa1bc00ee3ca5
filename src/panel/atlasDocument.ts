import path from 'node:path';
import * as vscode from 'vscode';
import type { About } from '../atlas/about.js';
import type { AtlasReader } from '../atlas/client.js';
import { rowOf } from '../atlas/place.js';
import type { AtlasCalls } from '../atlas/protocol.js';
import { GanderError } from '../errors/errors.js';
import type { DocumentRouter } from '../host/documentRouter.js';
import { rangeOf } from '../host/texts.js';
import { half } from '../requests/textParts.js';
import type { Span } from '../routing/positions.js';
import type { RoutingService } from '../routing/service.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { traceEnding } from '../source/file.js';
import type { Strategy } from '../strategies/strategy.js';
import { strategyFor } from './atlasText.js';
import type { AtlasRows } from './atlasRows.js';
import type { Panels } from './panels.js';
import { importType, traceType } from './types.js';

export interface DocumentOpening {
  readonly service: RoutingService;
  readonly store: RoutingStore;
  readonly documentRouter: DocumentRouter;
  readonly panels: Panels;
}

interface OpenedFrom {
  readonly rows: AtlasRows;
  readonly reader: AtlasReader;
  readonly about: About;
}

/** Opens a document of the corpus at a place, and routes it there as the atlas was. Rejects with a GanderError. */
export async function openAtlasDocument(
  services: DocumentOpening,
  { rows, reader, about: { corpus, run } }: OpenedFrom,
  { document: id, sequence, start, end }: AtlasCalls['open']['request'],
): Promise<void> {
  const { place, hash } = await reader.ask('place', { document: id });
  const row = rowOf(place);
  const file = await fileOf(row?.file ?? place, reader.folder);
  if (file.path.endsWith('.safetensors')) {
    const viewType = file.path.endsWith(traceEnding) ? traceType : importType;
    await vscode.commands.executeCommand('vscode.openWith', file, viewType);
    return;
  }
  const { text: fieldText, target } = corpus;
  const now = await reader.ask('document', {
    place: row ? `${file.fsPath}:${row.number}` : file.fsPath,
    fields: { text: fieldText, target },
  });
  const document = await vscode.workspace.openTextDocument(row ? rows.uriOf(place, now.text, now.hash) : file);
  // An output is in no document: its input is shown from the beginning, and the output in the panel.
  const places = sequence === 0 ? [start, end] : [0, 0];
  const [from, to] = places.map((at) => document.validatePosition(positionIn(now.text, at))) as [
    vscode.Position,
    vscode.Position,
  ];
  const editor = await vscode.window.showTextDocument(document, { selection: new vscode.Range(from, to) });
  // The panel follows the cursor, which therefore has to be at the token, not behind it.
  editor.selection = new vscode.Selection(to, from);
  if (now.hash !== hash || lines(document.getText()).join('\n') !== lines(now.text).join('\n')) sayChanged(id);
  const strategy = strategyFor(run, await services.service.describe());
  const offset = document.offsetAt(from);
  const routed = await routeAround(services, document, offset, { strategy, target: now.target });
  services.panels.show(routed);
  const token = sequence === 0 ? services.store.tokenAt(routed.id, offset) : tokenOfOutput(routed, start);
  if (token !== undefined) services.panels.select(routed.id, token, sequence);
}

/** The token at an offset of the output, which may be another text if the model wrote it itself. */
function tokenOfOutput({ main: { trace } }: Routed, offset: number): number | undefined {
  const { start, end } = trace?.sequences[1]?.tokens ?? {};
  const token = start?.findIndex((from, i) => from >= 0 && from <= offset && offset < end![i]!) ?? -1;
  return token < 0 ? undefined : token;
}

function sayChanged(id: string): void {
  void vscode.window.showWarningMessage(
    vscode.l10n.t('{0} has changed since the atlas was made, so the place may be another.', id),
  );
}

/**
 * Where a document is now. What lies outside the open folders is opened only if the person agrees: an atlas may come from anywhere.
 * Rejects with a GanderError: `cancelled` if the person does not agree.
 */
async function fileOf(file: string, atlas: string): Promise<vscode.Uri> {
  const roots = [...(vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri.fsPath), path.dirname(atlas)];
  // The same place if it is absolute.
  const places = [...new Set(roots.map((root) => path.resolve(root, file)))].map((one) => vscode.Uri.file(one));
  const isInside = (uri: vscode.Uri) => vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  for (const uri of places.filter(isInside)) if (await isThere(uri)) return uri;
  const outside = places.find((uri) => !isInside(uri));
  // What is named beside the atlas is looked for before anybody is asked; another address might be a server's.
  if (!outside || (!path.isAbsolute(file) && !(await isThere(outside)))) throw gone(file);
  if (!(await agreesTo(outside)))
    throw new GanderError('cancelled', 'The document was not opened.', 'Open it when you like.');
  if (await isThere(outside)) return outside;
  throw gone(file);
}

function gone(file: string): GanderError {
  return new GanderError(
    'io',
    vscode.l10n.t('{0} is not here.', file),
    vscode.l10n.t('Open the folder that the corpus is in, then try again.'),
  );
}

async function agreesTo({ fsPath }: vscode.Uri): Promise<boolean> {
  const open = vscode.l10n.t('Open');
  const question = vscode.l10n.t('Open {0}?', fsPath);
  const detail = vscode.l10n.t('The atlas names this document. It is outside the open folders.');
  return (await vscode.window.showWarningMessage(question, { modal: true, detail }, open)) === open;
}

async function isThere(uri: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
}

/** By lines, because the editor may have made all line ends of a document the same. */
function positionIn(text: string, offset: number): vscode.Position {
  const before = lines(text.slice(0, offset));
  return new vscode.Position(before.length - 1, before.at(-1)!.length);
}

const lines = (text: string) => text.split(/\r\n|\r|\n/);

/** Routes the document or, if it is too long, the part about the offset, cut as for the atlas. */
async function routeAround(
  { documentRouter, store }: DocumentOpening,
  document: vscode.TextDocument,
  offset: number,
  how: { readonly strategy: Strategy; readonly target: string | undefined },
): Promise<Routed> {
  let span: Span = { start: 0, end: document.getText().length };
  for (;;) {
    let added: number | undefined;
    try {
      return await documentRouter.route(document, span, { ...how, onAdded: ({ id }) => (added = id) });
    } catch (thrown) {
      if (added !== undefined) store.remove(added);
      const middle = half(document.getText(rangeOf(document, span)));
      // Half an input does not belong to the whole output.
      const isCut = how.target === undefined && GanderError.from(thrown).code === 'text-too-long';
      if (!isCut || middle === undefined) throw thrown;
      const cut = span.start + middle;
      span = offset < cut ? { start: span.start, end: cut } : { start: cut, end: span.end };
    }
  }
}
