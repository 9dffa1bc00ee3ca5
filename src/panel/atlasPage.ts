import * as vscode from 'vscode';
import type { OpenedAtlas } from '../atlas/calls.js';
import type { AtlasCalls, AtlasHostPost, AtlasMessage, OwnName, UnitKey } from '../atlas/protocol.js';
import { type Answer, Answerer } from '../channel/answerer.js';
import { isAsking } from '../channel/messages.js';
import { checkedCall, parseNotice } from './atlasMessages.js';
import { pageHtml } from './html.js';

/** An atlas that is open in one or more editors. */
export interface AtlasDocument extends vscode.CustomDocument {
  readonly folder: string;
  readonly title: string;
  /** Read once, shared by all editors of the atlas. */
  readonly content: Promise<OpenedAtlas>;
}

/** The host's end of one page of an atlas. */
export class AtlasPage implements vscode.Disposable {
  readonly #subscription: vscode.Disposable;
  /** For the current page only; undefined before it is ready, and while it is hidden. */
  #answerer: Answerer<AtlasCalls> | undefined;
  #names: readonly OwnName[];
  /** Where the page goes when it is ready. */
  #unit: UnitKey | undefined;

  constructor(
    private readonly webview: vscode.Webview,
    private readonly title: string,
    private readonly content: OpenedAtlas,
    private readonly answer: Answer<AtlasCalls>,
    private readonly log: vscode.LogOutputChannel,
    extension: vscode.Uri,
  ) {
    this.#names = content.names;
    this.#subscription = webview.onDidReceiveMessage((data: unknown) => void this.#receive(data));
    webview.html = pageHtml(webview, extension, { script: 'atlas.js', title, styles: ['panel.css', 'atlas.css'] });
  }

  show(unit: UnitKey): void {
    this.#unit = unit;
    if (this.#answerer) this.#sendUnit();
  }

  rename(names: readonly OwnName[]): void {
    this.#names = names;
    this.#post({ type: 'names', names });
  }

  /** The page is gone, as that of a hidden editor; the next one says `ready`. */
  forget(): void {
    this.#answerer = undefined;
  }

  dispose(): void {
    this.forget();
    this.#subscription.dispose();
  }

  async #receive(data: unknown): Promise<void> {
    if (isAsking(data)) {
      this.#answerer?.take(data);
      return;
    }
    const notice = parseNotice(data);
    if (notice?.type === 'ready') this.#begin();
    if (notice?.type === 'log') this.log[notice.level](`page: ${notice.text}`);
    if (notice?.type === 'compareExperts') await vscode.commands.executeCommand('gander.compareExperts');
    if (notice?.type !== 'copy') return;
    await vscode.env.clipboard.writeText(notice.text);
    vscode.window.setStatusBarMessage(vscode.l10n.t('Copied'), 2000);
  }

  #begin(): void {
    const answerer: Answerer<AtlasCalls> = new Answerer<AtlasCalls>(
      (name, request, options) => this.answer(name, checkedCall(name, request), options),
      (said) => answerer === this.#answerer && this.#post(said),
    );
    this.#answerer = answerer;
    const { about, layers, experts, labels } = this.content;
    this.#post({ type: 'atlas', title: this.title, about, layers, experts, labels, names: this.#names });
    this.#sendUnit();
  }

  #sendUnit(): void {
    const unit = this.#unit;
    this.#unit = undefined;
    if (unit) this.#post({ type: 'unit', unit });
  }

  #post(message: AtlasHostPost | AtlasMessage): void {
    if (this.#answerer) void this.webview.postMessage(message);
  }
}
