import { setImmediate, setTimeout } from 'node:timers/promises';
import * as vscode from 'vscode';
import { Answerer } from '../channel/answerer.js';
import { isAsking } from '../channel/messages.js';
import type { Atlases } from '../host/atlases.js';
import { note, report } from '../host/notify.js';
import { GanderError } from '../errors/errors.js';
import type { HostMessage, HostPost, PageCalls, PageMessage, Side } from '../protocol/panel.js';
import type { Waiting } from '../routing/runs.js';
import type { TextColour } from '../trace/figures/colouring.js';
import { SideSender, sides } from '../transport/sides.js';
import { pageHtml, pageOptions } from './html.js';
import type { Scene, SceneMessage } from './scene.js';

/** How long to wait until a page has taken in a piece, before the next is sent anyway. Milliseconds. */
const longestWait = 200;

/** The host's end of one page: sends what the scene shows, all of it again to a new page, and receives the page's messages. */
export class Page implements vscode.Disposable {
  readonly #subscriptions: vscode.Disposable[] = [];
  /** Undefined before the page is ready and after it is gone, when nothing can be sent. */
  #sender: SideSender | undefined;
  /** For the current page only: another would take its answers for those to its own requests. */
  #answerer: Answerer<PageCalls> | undefined;
  /** What waits to be sent, in order; `scene`: whatever has changed in the scene by then. */
  readonly #outbox: (HostMessage | 'scene')[] = [];
  #sending = false;
  /** Whether the text is in sight, as last sent to the page; undefined: not sent yet. */
  #toldTextVisible: boolean | undefined;
  /** Whether it is pinned, as last sent to the page; undefined: not sent yet. */
  #toldPinned: boolean | undefined;
  /** What the page has, and for which run; undefined: not sent yet. */
  #toldColour: string | undefined;
  /** What was last sent about lines, by type of message. */
  readonly #toldLines = new Map<string, string>();
  /** The last memory sent, because VS Code saves the page's state each time that one is sent. */
  #remembered: string | undefined;
  /** The token to select once the page is ready. */
  #selected: { readonly token: number; readonly sequence: number } | undefined;
  /** The tour was asked for before the page was ready. */
  #tourPending = false;
  #disposed = false;

  constructor(
    readonly webview: vscode.Webview,
    readonly scene: Scene,
    private readonly atlases: Atlases,
    private readonly log: vscode.LogOutputChannel,
    extension: vscode.Uri,
  ) {
    webview.options = pageOptions(extension);
    this.#subscriptions.push(
      webview.onDidReceiveMessage((data: unknown) => void this.#receive(data)),
      new vscode.Disposable(scene.onChange(() => this.#update())),
      atlases.onDidChange(() => this.#sendAtlas()),
    );
    webview.html = pageHtml(webview, extension);
  }

  /** The page is gone (a hidden panel has none); the next one says `ready`. */
  forget(): void {
    this.#sender = undefined;
    this.#answerer = undefined;
  }

  post(message: HostMessage): void {
    this.#outbox.push(message);
    void this.#send();
  }

  select(token: number, sequence: number): void {
    this.#selected = this.#sender ? undefined : { token, sequence };
    this.post({ type: 'select', token, sequence });
  }

  /** Starts the tour of the page. */
  startTour(): void {
    this.#tourPending = !this.#sender;
    this.post({ type: 'tour' });
  }

  async sendPool(): Promise<void> {
    try {
      this.post({ type: 'pool', description: await this.scene.describe() });
    } catch (error) {
      this.post({ type: 'pool', description: undefined, error: GanderError.from(error).toData() });
    }
  }

  #sendAtlas(): void {
    this.post({ type: 'atlas', atlas: this.atlases.atlas });
  }

  dispose(): void {
    this.#disposed = true;
    this.forget();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #update(): void {
    if (this.#outbox.at(-1) !== 'scene') this.#outbox.push('scene');
    void this.#send();
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next = this.#outbox.shift(); next; next = this.#outbox.shift()) {
        if (next !== 'scene') this.#post(next);
        else await this.#sendScene();
      }
    } finally {
      this.#sending = false;
    }
  }

  async #sendScene(): Promise<void> {
    this.#sendPinned();
    this.#sendTextVisible();
    this.sendLines();
    for (const side of sides) await this.#sendSide(side);
    this.#sendColour();
    const memory = this.scene.memory();
    if (memory && memory !== this.#remembered) this.#post({ type: 'remember', memory });
    this.#remembered = memory;
  }

  #sendPinned(): void {
    const is = this.scene.pinned;
    if (is !== undefined && is !== this.#toldPinned) this.#post({ type: 'pinned', is });
    this.#toldPinned = is;
  }

  /** Sent after the run that it was chosen for. */
  #sendColour(): void {
    const colour = this.scene.colour();
    const now = this.#keyOf(colour);
    if (colour && now !== this.#toldColour) this.#post({ type: 'colour', ...colour });
    this.#toldColour = now;
  }

  /** Of a choice of colours, for the text on show. */
  #keyOf(colour: TextColour | undefined): string {
    return JSON.stringify([this.scene.id, colour]);
  }

  /** Sent before the text itself, which the page then need not draw. */
  #sendTextVisible(): void {
    const is = this.scene.isTextVisible();
    if (is !== this.#toldTextVisible) this.#post({ type: 'textVisible', is });
    this.#toldTextVisible = is;
  }

  /** Sends where the text's lines are, and which of them are visible in the editor, if that has changed. */
  sendLines(): void {
    if (!this.#sender) return;
    const messages: HostMessage[] = [
      { type: 'lines', lines: this.scene.lines() },
      { type: 'visible', lines: this.scene.visible() },
    ];
    for (const message of messages) {
      const now = JSON.stringify(message);
      if (now !== (this.#toldLines.get(message.type) ?? JSON.stringify({ type: message.type }))) this.#post(message);
      this.#toldLines.set(message.type, now);
    }
  }

  async #sendSide(side: Side): Promise<void> {
    const sender = this.#sender;
    if (!sender) return;
    for (const message of sender.messages(side, this.scene.side(side))) {
      const arrived = this.#post(message);
      if (message.type !== 'piece') continue;
      // Copying a long trace all at once would hold up everything else in the host.
      if (message.piece.part !== 'cells' || message.piece.sent === 'first') await setImmediate();
      else {
        // Nobody waits for these, so anything else goes first.
        await Promise.race([arrived, setTimeout(longestWait)]);
        if (this.#outbox.length > 0) {
          this.#update();
          return;
        }
      }
      if (sender !== this.#sender) return;
    }
  }

  #post(message: HostPost): PromiseLike<boolean> | undefined {
    return this.#sender && this.webview.postMessage(message);
  }

  #replayAll(): void {
    const sender = new SideSender(this.scene.received);
    this.#sender = sender;
    this.#answerer = new Answerer<PageCalls>(
      (name, request, waiting) => this.#answer({ type: name, ...request }, waiting),
      (answer) => sender === this.#sender && this.#post(answer),
    );
    this.#remembered = undefined;
    this.#toldTextVisible = undefined;
    this.#toldPinned = undefined;
    this.#toldColour = undefined;
    this.#toldLines.clear();
    void this.sendPool();
    this.#sendAtlas();
    this.#update();
    const token = this.scene.token();
    const selected = this.#selected ?? (token !== undefined && { token });
    this.#selected = undefined;
    if (selected) this.post({ type: 'select', ...selected });
    if (this.#tourPending) this.startTour();
  }

  async #receive(data: unknown): Promise<void> {
    if (isAsking(data)) {
      this.#answerer?.take(data);
      return;
    }
    const message = await this.#checked(data);
    if (!message) return;
    switch (message.type) {
      case 'ready':
        this.#replayAll();
        return;
      case 'log':
        this.log[message.level](`page: ${message.text}`);
        return;
      case 'copy':
        await vscode.env.clipboard.writeText(message.text);
        vscode.window.setStatusBarMessage(vscode.l10n.t('Copied'), 2000);
        return;
      case 'unit':
        await vscode.commands.executeCommand('gander.showInAtlas', message.unit);
        return;
      default:
        if (message.type === 'colour') {
          const { type: _, ...colour } = message;
          this.#toldColour = this.#keyOf(colour);
        }
        try {
          await this.scene.handle(message);
        } catch (error) {
          report(error, this.log);
        }
    }
  }

  /** The page shows a rejection where the request was made; only if that page is gone by then, it is reported here. */
  async #answer(asked: object, waiting: Waiting): Promise<unknown> {
    const asking = this.#answerer;
    const message = await this.#checked(asked);
    if (!message || !isForScene(message)) throw notUnderstood();
    try {
      return await this.scene.handle(message, waiting);
    } catch (error) {
      if (asking !== this.#answerer) report(error, this.log);
      else note(error, this.log);
      throw error;
    }
  }

  /** Undefined if it is not a message. */
  async #checked(data: unknown): Promise<PageMessage | undefined> {
    // Loaded late, because the validator takes longer to load than all the rest.
    const { parsePageMessage } = await import('./messages.js');
    if (this.#disposed) return undefined;
    const message = parsePageMessage(data);
    if (message.type !== 'invalid') return message;
    this.log.warn(`A message from the page was refused: ${message.reason}`);
    return undefined;
  }
}

function isForScene(message: PageMessage): message is SceneMessage {
  return !['ready', 'log', 'copy', 'unit'].includes(message.type);
}

function notUnderstood(): GanderError {
  return new GanderError(
    'request-invalid',
    'The page sent a request that cannot be understood.',
    'Please report this with the Gander log.',
  );
}
