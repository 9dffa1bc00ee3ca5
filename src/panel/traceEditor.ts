import * as vscode from 'vscode';
import type { Atlases } from '../host/atlases.js';
import { report } from '../host/notify.js';
import { GanderError } from '../errors/errors.js';
import { pageOptions, whetherDisposed } from './html.js';
import { Page } from './page.js';
import { type NamedTrace, ReplayScene } from './replayScene.js';
import { type Beside, readTraceFile } from './traceFile.js';
import { traceEnding } from '../source/file.js';
import { importType, traceType } from './types.js';

export interface TraceDocument extends vscode.CustomDocument {
  /** Read once, shared by all editors of the file. */
  readonly content: Promise<NamedTrace>;
}

interface OpenTrace {
  readonly uri: vscode.Uri;
  readonly scene: ReplayScene;
  readonly page: Page;
}

/** Shows a trace file, or routing that another program recorded, in the routing page: read-only and without a model. */
export class TraceEditor implements vscode.CustomReadonlyEditorProvider<TraceDocument> {
  readonly #beside = new Map<string, Beside>();
  readonly #open = new Map<vscode.WebviewPanel, OpenTrace>();

  constructor(
    private readonly atlases: Atlases,
    private readonly extension: vscode.Uri,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  openCustomDocument(uri: vscode.Uri): TraceDocument {
    const content = readTraceFile(uri, this.extension, this.#beside.get(uri.toString()));
    // Reported where the file is shown.
    content.catch(() => {});
    return { uri, content, dispose: () => {} };
  }

  async resolveCustomEditor(document: TraceDocument, panel: vscode.WebviewPanel): Promise<void> {
    const disposed = whetherDisposed(panel);
    panel.webview.options = pageOptions(this.extension);
    let content: NamedTrace;
    try {
      content = await document.content;
    } catch (thrown) {
      const error = GanderError.from(thrown);
      report(error, this.log);
      // VS Code shows this instead of the editor.
      throw new Error(`${error.message} ${error.remedy}`, { cause: thrown });
    }
    if (disposed()) return;
    const scene = new ReplayScene(content);
    const page = new Page(panel.webview, scene, this.atlases, this.log, this.extension);
    this.#open.set(panel, { uri: document.uri, scene, page });
    panel.onDidChangeViewState(() => !panel.visible && page.forget());
    panel.onDidDispose(() => {
      this.#open.delete(panel);
      page.dispose();
    });
  }

  /** The trace file that has the focus, or the only one that is open. */
  get active(): OpenTrace | undefined {
    const open = [...this.#open];
    const found = open.find(([panel]) => panel.active) ?? (open.length === 1 ? open[0] : undefined);
    return found?.[1];
  }

  /** Opens one trace file with another beside it. */
  async compare(main: vscode.Uri, other: vscode.Uri): Promise<void> {
    const content = await readTraceFile(other, this.extension);
    await this.#show(main);
    [...this.#open.values()].findLast(({ uri }) => uri.toString() === main.toString())?.scene.compare(content);
  }

  /** Opens a file of another program, with what the person adds to it. */
  async import(uri: vscode.Uri, beside: Beside): Promise<void> {
    // All editors of a file share what was read first, so that must be closed.
    await vscode.window.tabGroups.close(tabsOf(uri));
    this.#beside.set(uri.toString(), beside);
    await this.#show(uri);
  }

  #show(uri: vscode.Uri): Thenable<unknown> {
    const viewType = uri.path.endsWith(traceEnding) ? traceType : importType;
    return vscode.commands.executeCommand('vscode.openWith', uri, viewType);
  }
}

function tabsOf(uri: vscode.Uri): vscode.Tab[] {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .filter(
      ({ input }) =>
        input instanceof vscode.TabInputCustom &&
        input.viewType === importType &&
        input.uri.toString() === uri.toString(),
    );
}
