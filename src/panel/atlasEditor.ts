import path from 'node:path';
import * as vscode from 'vscode';
import { folderEnding } from '../atlas/place.js';
import type { AtlasCalls, UnitKey } from '../atlas/protocol.js';
import type { Answer } from '../channel/answerer.js';
import type { OptionsOf } from '../channel/messages.js';
import { GanderError } from '../errors/errors.js';
import type { Atlases } from '../host/atlases.js';
import type { EngineHost } from '../host/engineHost.js';
import { report } from '../host/notify.js';
import { type DocumentOpening, openAtlasDocument } from './atlasDocument.js';
import { type AtlasDocument, AtlasPage } from './atlasPage.js';
import { AtlasSimilarity } from './atlasSimilarity.js';
import { AtlasRows } from './atlasRows.js';
import { unitsOfText } from './atlasText.js';
import { pageOptions, whetherDisposed } from './html.js';
import { bytesOf, save } from './save.js';
import { atlasType } from './types.js';

interface AtlasServices extends DocumentOpening {
  readonly atlases: Atlases;
  readonly engines: EngineHost;
  readonly log: vscode.LogOutputChannel;
}

interface OpenPage {
  readonly folder: string;
  readonly page: AtlasPage;
}

type Answers = {
  readonly [N in keyof AtlasCalls]: (
    request: AtlasCalls[N]['request'],
    options: OptionsOf<AtlasCalls[N]>,
  ) => Promise<AtlasCalls[N]['result']>;
};

/** Shows atlases: all units over a corpus, and a page for each. */
export class AtlasEditor implements vscode.CustomReadonlyEditorProvider<AtlasDocument>, vscode.Disposable {
  readonly #open = new Map<vscode.WebviewPanel, OpenPage>();
  /** Units to go to, by the folder of an atlas that is being opened. */
  readonly #asked = new Map<string, UnitKey>();
  readonly #rows = new AtlasRows();
  readonly #similarity: AtlasSimilarity;
  readonly #subscription: vscode.Disposable;

  constructor(
    private readonly services: AtlasServices,
    private readonly extension: vscode.Uri,
  ) {
    this.#similarity = new AtlasSimilarity(services);
    this.#subscription = services.atlases.onDidName(({ folder, names }) => {
      for (const { page } of this.#pagesOf(folder)) page.rename(names);
    });
  }

  openCustomDocument(uri: vscode.Uri): AtlasDocument {
    const folder = path.dirname(uri.fsPath);
    const content = uri.scheme === 'file' ? this.services.atlases.open(folder) : Promise.reject(notHere(uri));
    // Reported where the atlas is shown.
    content.catch(() => {});
    return { uri, folder, title: path.basename(folder, folderEnding), content, dispose: () => {} };
  }

  async resolveCustomEditor(document: AtlasDocument, panel: vscode.WebviewPanel): Promise<void> {
    const disposed = whetherDisposed(panel);
    const { folder, title } = document;
    panel.webview.options = pageOptions(this.extension);
    const content = await document.content.catch((thrown: unknown) => {
      const error = GanderError.from(thrown);
      report(error, this.services.log);
      // VS Code shows this instead of the editor.
      throw new Error(`${error.message} ${error.remedy}`, { cause: thrown });
    });
    if (disposed()) return;
    if (content.namesError) report(GanderError.fromData(content.namesError), this.services.log);
    const page = new AtlasPage(
      panel.webview,
      title,
      content,
      this.#answering(document),
      this.services.log,
      this.extension,
    );
    this.#open.set(panel, { folder, page });
    panel.onDidChangeViewState(() => !panel.visible && page.forget());
    panel.onDidDispose(() => {
      this.#open.delete(panel);
      page.dispose();
    });
    const asked = this.#asked.get(folder);
    this.#asked.delete(folder);
    if (asked) page.show(asked);
  }

  /** Opens an atlas in the editor. @param unit whose page to show */
  async show(folder: string, unit?: UnitKey): Promise<void> {
    const open = this.#pagesOf(folder);
    if (unit && open.length === 0) this.#asked.set(folder, unit);
    const file = vscode.Uri.file(path.join(folder, 'atlas.json'));
    await vscode.commands.executeCommand('vscode.openWith', file, atlasType);
    if (unit) for (const { page } of open) page.show(unit);
  }

  dispose(): void {
    this.#rows.dispose();
    this.#subscription.dispose();
  }

  #pagesOf(folder: string): OpenPage[] {
    return [...this.#open.values()].filter((one) => one.folder === folder);
  }

  #answering({ folder, content }: AtlasDocument): Answer<AtlasCalls> {
    const { atlases, service } = this.services;
    const answers: Answers = {
      rows: async (request) => (await atlases.reader(folder)).ask('rows', request),
      find: async (request) => (await atlases.reader(folder)).ask('find', request),
      text: async ({ text }, { signal }) => unitsOfText(service, (await content).about, text, signal),
      similar: async (request, { signal }) => this.#similarity.around((await content).about, request, signal),
      open: async (request) => {
        const reader = await atlases.reader(folder);
        await openAtlasDocument(this.services, { rows: this.#rows, reader, about: (await content).about }, request);
      },
      name: async (name) => {
        await atlases.name(folder, name);
      },
      save: async (request) => {
        await save(request.kind, request.name, () => bytesOf(request));
      },
    };
    return (name, request, options) => answers[name](request, options);
  }
}

function notHere(uri: vscode.Uri): GanderError {
  return new GanderError(
    'io',
    vscode.l10n.t('{0} is not on this machine, so its tables cannot be read.', uri.path),
    vscode.l10n.t('Copy the folder of the atlas to this machine.'),
  );
}
