import * as vscode from 'vscode';
import { editorsOf } from '../host/texts.js';
import type { TextColour } from '../trace/figures/colouring.js';
import type { Routed } from '../routing/store.js';
import type { PanelMemory } from './messages.js';
import { pageIcon, pageOptions, whetherDisposed } from './html.js';
import { Page } from './page.js';
import { RoutedScene, type SceneServices } from './routedScene.js';
import { panelType } from './types.js';

export interface RoutingPanel {
  readonly panel: vscode.WebviewPanel;
  readonly scene: RoutedScene;
  readonly page: Page;
}

/** The routing panels: one that follows the active editor, and those that were pinned. */
export class Panels implements vscode.Disposable {
  readonly #open = new Set<RoutingPanel>();
  /** What the following panel was before a reload; it shows something once a range has been routed. */
  #restoring: vscode.WebviewPanel | undefined;
  #toldPinned = false;
  readonly #subscriptions: vscode.Disposable[];
  readonly #changed = new vscode.EventEmitter<void>();

  /** Another range, or another run of it, may be in sight. */
  readonly onDidChangeShown = this.#changed.event;

  constructor(
    private readonly services: SceneServices,
    private readonly extension: vscode.Uri,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.#subscriptions = [
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.#followCursor(textEditor)),
      vscode.window.onDidChangeActiveTextEditor((editor) => editor && this.#followEditor(editor)),
      vscode.window.onDidChangeTextEditorVisibleRanges(({ textEditor: { document } }) => {
        for (const { scene, page } of this.#open) if (scene.routed?.uri === document.uri.toString()) page.sendLines();
      }),
    ];
  }

  /** Shows a range in the panel that follows the editor, which opens beside it; the focus stays where it is. */
  show(routed: Routed, preserveFocus = true): RoutingPanel {
    const open = this.following;
    if (open) {
      open.scene.show(routed.id);
      const aside = besideText(open.panel, routed.uri);
      if (aside !== undefined || !open.panel.visible || !preserveFocus) open.panel.reveal(aside, preserveFocus);
      return open;
    }
    return this.#adopt(this.#restoring ?? this.#create(preserveFocus), new RoutedScene(this.services, routed.id));
  }

  #create(preserveFocus: boolean): vscode.WebviewPanel {
    // Their group is locked (the package's defaults say so), so "beside" would be yet another group.
    const [pinned] = this.#open;
    return vscode.window.createWebviewPanel(
      panelType,
      vscode.l10n.t('Routing'),
      { viewColumn: pinned?.panel.viewColumn ?? columnBeside(), preserveFocus },
      { ...pageOptions(this.extension), enableFindWidget: true },
    );
  }

  /** The one that follows the active editor, if it is open. */
  get following(): RoutingPanel | undefined {
    return [...this.#open].find(({ scene }) => !scene.pinned);
  }

  /** Those that keep their run, in the order in which they were opened. */
  get pinned(): RoutingPanel[] {
    return [...this.#open].filter(({ scene }) => scene.pinned);
  }

  /** The panel that has the focus, or the one that shows the range. */
  find(id?: number): RoutingPanel | undefined {
    const open = [...this.#open];
    return open.find(({ panel }) => panel.active) ?? open.find(({ scene }) => scene.id === id);
  }

  /** Whether any panel is visible. */
  get isVisible(): boolean {
    return [...this.#open].some(({ panel }) => panel.visible);
  }

  /** Whether a visible panel shows the range. */
  isShown(id: number): boolean {
    return [...this.#open].some(({ panel, scene }) => panel.visible && scene.id === id);
  }

  get active(): RoutingPanel | undefined {
    return [...this.#open].find(({ panel }) => panel.active);
  }

  /**
   * A pinned panel keeps its range; what is routed next opens in another. One panel follows the editor: when a pinned one does so
   * again, the one that did is pinned, because closing it would lose what it shows.
   */
  pin(open: RoutingPanel, pinned: boolean): void {
    if (open.scene.pinned === pinned) return;
    const former = pinned ? undefined : this.following;
    this.#setPinned(open, pinned);
    if (former) {
      this.#setPinned(former, true);
      const words = vscode.l10n.t('{0} follows the editor now; {1} is pinned', nameOf(open), nameOf(former));
      vscode.window.setStatusBarMessage(words, 8000);
    }
    this.#tellPinned();
  }

  #setPinned(open: RoutingPanel, pinned: boolean): void {
    open.scene.pin(pinned);
    this.#entitle(open);
  }

  /** The range in the panel that has the focus, or else in one that is in sight, first of all the one that follows the editor. */
  get shown(): Routed | undefined {
    const visible = [...this.#open].filter(({ panel }) => panel.visible);
    const open = this.active ?? visible.find(({ scene }) => !scene.pinned) ?? visible[0];
    return open?.scene.routed;
  }

  /** The button in the title of the panel that has the focus shows it. */
  #tellPinned(): void {
    const is = this.active?.scene.pinned ?? false;
    if (is === this.#toldPinned) return;
    this.#toldPinned = is;
    void vscode.commands.executeCommand('setContext', 'gander.pinned', is);
  }

  /** Selects a token in the panels that show the range. */
  select(id: number, token: number, sequence = 0): void {
    for (const { scene, page } of this.#open) if (scene.id === id) page.select(token, sequence);
  }

  /** Colours a range's text, here and in its editor, as a command chose. */
  colour(routed: Routed, choice: Omit<TextColour, 'passed'>): void {
    const { colours } = this.services;
    colours.choose(routed, { ...choice, passed: choice.over !== 'attribution' });
    colours.overlay(routed.id, choice.over);
  }

  filter(expert: string | undefined): void {
    for (const { page } of this.#open) page.post({ type: 'filter', expert });
  }

  poolChanged(): void {
    for (const { page } of this.#open) void page.sendPool();
  }

  dispose(): void {
    vscode.Disposable.from(this.#changed, ...this.#subscriptions).dispose();
    for (const { panel } of [...this.#open]) panel.dispose();
  }

  #adopt(panel: vscode.WebviewPanel, scene: RoutedScene): RoutingPanel {
    const page = new Page(panel.webview, scene, this.services.atlases, this.log, this.extension);
    const open: RoutingPanel = { panel, scene, page };
    this.#open.add(open);
    if (panel === this.#restoring) this.#restoring = undefined;
    panel.iconPath = pageIcon(this.extension);
    const unlisten = scene.onChange(() => {
      if (scene.routed) this.#entitle(open);
      else panel.dispose();
      this.#changed.fire();
    });
    scene.toPin = (pinned) => this.pin(open, pinned);
    panel.onDidChangeViewState(() => {
      if (!panel.visible) page.forget();
      this.#tellPinned();
      this.#changed.fire();
    });
    panel.onDidDispose(() => {
      unlisten();
      this.#open.delete(open);
      page.dispose();
      scene.dispose();
      this.#tellPinned();
      this.#changed.fire();
    });
    this.#entitle(open);
    this.#changed.fire();
    return open;
  }

  #entitle(open: RoutingPanel): void {
    const { panel, scene } = open;
    const name = nameOf(open);
    const title = scene.pinned ? vscode.l10n.t('Routing (pinned): {0}', name) : vscode.l10n.t('Routing: {0}', name);
    if (panel.title !== title) panel.title = title;
  }

  /** Shows the editor's text, if it was routed: the range at the cursor, or else the latest. */
  #followEditor({ document, selection }: vscode.TextEditor): void {
    const { store } = this.services;
    const uri = document.uri.toString();
    const following = this.following;
    if (!following || following.scene.routed?.uri === uri) return;
    const offset = document.offsetAt(selection.active);
    const routed = store.at(uri, offset) ?? store.of(uri)[0];
    if (!routed) return;
    following.scene.show(routed.id);
    const token = store.tokenAt(routed.id, offset);
    if (token !== undefined) following.page.post({ type: 'select', token });
  }

  /** Moves to the range and the token under the person's cursor. */
  #followCursor(editor: vscode.TextEditor): void {
    const { mark, store } = this.services;
    if (mark.isEcho(editor)) return;
    mark.clear(editor);
    const offset = editor.document.offsetAt(editor.selection.active);
    const routed = store.at(editor.document.uri.toString(), offset);
    if (!routed) return;
    this.following?.scene.show(routed.id);
    const token = store.tokenAt(routed.id, offset);
    if (token !== undefined) this.select(routed.id, token);
  }

  /** After a reload of the window, routes the text again as before; a panel whose text cannot be found is closed. */
  async restore(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const disposed = whetherDisposed(panel);
    panel.webview.options = pageOptions(this.extension);
    const { parseMemory } = await import('./messages.js');
    const memory = parseMemory(state);
    try {
      if (!memory) throw new Error('the panel has no state to restore it from');
      await this.#revive(panel, memory, disposed);
    } catch (error) {
      this.#forget(panel);
      this.log.info(`A panel was not restored: ${String(error)}`);
      if (!disposed() && ![...this.#open].some((open) => open.panel === panel)) panel.dispose();
    }
  }

  async #revive(panel: vscode.WebviewPanel, memory: PanelMemory, disposed: () => boolean): Promise<void> {
    const { uri, start, end, target, strategy, interventions, pinned, other, colour } = memory;
    if (!pinned) {
      if (this.following ?? this.#restoring) throw new Error('another panel follows the editor already');
      this.#restoring = panel;
      panel.onDidDispose(() => this.#forget(panel));
    }
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
    const length = document.getText().length;
    const span = { start: Math.min(start, length), end: Math.min(end, length) };
    /** Where the cursor is now may differ from where the page was. */
    const follow = () => {
      const editor = editorsOf(uri)[0];
      if (editor) this.#followCursor(editor);
    };
    // VS Code shows the page only once this ends, and the page shows how the run goes, or why it failed.
    await new Promise<void>((adopted, failed) => {
      const onAdded = (routed: Routed) => {
        // What was routed meanwhile is shown in it already.
        if (!disposed() && (pinned || panel === this.#restoring)) {
          const open = this.#adopt(panel, new RoutedScene(this.services, routed.id));
          if (pinned) this.pin(open, true);
          // At once, so that the page has its comparison before it could miss it.
          if (other) this.services.store.setSide(routed.id, 'other', { text: routed.main.text, ...other });
          if (colour) this.services.colours.choose(routed, colour);
        }
        adopted();
      };
      this.services.documentRouter
        .route(document, span, { target, strategy, interventions, onAdded })
        .then(async (routed) => {
          follow();
          if (other) await this.#compareAgain(routed, other);
        })
        .catch(failed);
    });
  }

  /** Unless something else was asked or closed meanwhile. Why it fails, the page says. */
  async #compareAgain({ id, main: { text, output } }: Routed, other: NonNullable<PanelMemory['other']>): Promise<void> {
    const there = this.services.store.get(id)?.other;
    if (!there || there.trace || there.running) return;
    try {
      await this.services.runs.compare(id, { text, output, ...other });
    } catch (error) {
      this.log.info(`A comparison was not made again: ${String(error)}`);
      if (!this.services.store.get(id)?.other?.error) this.services.runs.closeCompare(id);
    }
  }

  #forget(panel: vscode.WebviewPanel): void {
    if (panel === this.#restoring) this.#restoring = undefined;
  }
}

const nameOf = ({ scene }: RoutingPanel): string => scene.routed?.main.title ?? '';

/** Another column, if the text is in sight only where the panel would cover it: a group that opened with something else is not locked. */
function besideText({ viewColumn }: vscode.WebviewPanel, uri: string): vscode.ViewColumn | undefined {
  const columns = editorsOf(uri).map((editor) => editor.viewColumn);
  if (columns.length === 0 || columns.some((column) => column !== viewColumn)) return undefined;
  const other = vscode.window.tabGroups.all.find((group) => group.viewColumn !== viewColumn);
  return other?.viewColumn ?? vscode.ViewColumn.Beside;
}

/** Beside the editor, in the walkthrough's or the settings' group if that is open there: three columns would leave room for none. */
function columnBeside(): vscode.ViewColumn {
  if (!vscode.window.activeTextEditor) return vscode.ViewColumn.Active;
  // VS Code tells nothing of what is in such a tab.
  const page = vscode.window.tabGroups.all.find(
    ({ isActive, activeTab }) => !isActive && activeTab !== undefined && activeTab.input === undefined,
  );
  return page?.viewColumn ?? vscode.ViewColumn.Beside;
}
