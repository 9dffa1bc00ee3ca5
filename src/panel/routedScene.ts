import { isDeepStrictEqual } from 'node:util';
import * as vscode from 'vscode';
import { translated } from '../host/description.js';
import type { Atlases } from '../host/atlases.js';
import type { Colours } from '../host/colours.js';
import { type DocumentRouter, openDocument } from '../host/documentRouter.js';
import type { EngineHost } from '../host/engineHost.js';
import { strategyLabel } from '../host/strategies.js';
import { editorsOf, presentSelection } from '../host/texts.js';
import type { TokenMark } from '../host/tokenMark.js';
import type { Runs, Waiting } from '../routing/runs.js';
import type { RoutingService } from '../routing/service.js';
import {
  type Generated,
  givenOf,
  type Routed,
  type RoutingStore,
  type SideResult,
  writtenIn,
} from '../routing/store.js';
import { GanderError } from '../errors/errors.js';
import type { DocumentLines, PageMessage, Side, SideState, VisibleLines, Written } from '../protocol/panel.js';
import type { SourceDescription } from '../requests/description.js';
import { openCard } from './card.js';
import type { TextColour } from '../trace/figures/colouring.js';
import { firstWritten } from '../trace/model/access.js';
import { isOfTokens } from '../trace/model/whatIf.js';
import type { Received } from '../transport/pieces.js';
import { EditorLines } from './editorLines.js';
import type { PanelMemory } from './messages.js';
import { saveDrawn, saveTrace } from './save.js';
import type { Scene } from './scene.js';

export interface SceneServices {
  readonly engines: EngineHost;
  readonly service: RoutingService;
  readonly store: RoutingStore;
  readonly runs: Runs;
  readonly documentRouter: DocumentRouter;
  readonly mark: TokenMark;
  readonly colours: Colours;
  readonly atlases: Atlases;
}

/** A routed range of a document, live. */
export class RoutedScene implements Scene {
  pinned = false;
  /** Pins the panel, or lets it follow the editor; the panels set it. */
  toPin: (pinned: boolean) => void = () => undefined;
  #id: number;
  #release: () => void;
  readonly #listeners = new Set<() => void>();
  readonly #editors: vscode.Disposable;
  readonly #lines: EditorLines;

  constructor(
    private readonly services: SceneServices,
    id: number,
  ) {
    this.#id = id;
    this.#release = services.store.retain(id);
    this.#lines = new EditorLines(services.store);
    this.#editors = vscode.Disposable.from(
      vscode.window.onDidChangeVisibleTextEditors(() => this.#changed()),
      services.colours.onDidChange(() => this.#changed()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('editor')) this.#changed();
      }),
    );
  }

  async describe(): Promise<SourceDescription> {
    return translated(await this.services.service.describe());
  }

  get received(): Received {
    return this.services.engines.received;
  }

  get id(): number {
    return this.#id;
  }

  get routed(): Routed | undefined {
    return this.services.store.get(this.#id);
  }

  /** Shows another range, of this document or another. */
  show(id: number): void {
    if (id === this.#id) return;
    const release = this.#release;
    // The page draws the new range with the same overlay until it says otherwise.
    const overlay = this.services.colours.overlayOf(this.#id);
    this.services.colours.overlay(this.#id, '');
    this.services.colours.overlay(id, overlay);
    this.#id = id;
    this.#release = this.services.store.retain(id);
    release();
    this.#changed();
  }

  pin(pinned: boolean): void {
    this.pinned = pinned;
    this.#changed();
  }

  side(side: Side): SideState | undefined {
    const { routed } = this;
    const result = routed?.[side];
    if (!result) return undefined;
    const state = toState(result);
    return side === 'main' && routed.stale ? { ...state, stale: true, fresh: freshTokens(routed) } : state;
  }

  memory(): string | undefined {
    const { routed } = this;
    // A panel is restored from how its text was run, which is not known yet.
    if (!routed || routed.main.isOpening) return undefined;
    const { uri, span, main, other } = routed;
    const memory: PanelMemory = {
      uri,
      start: span.start,
      end: span.end,
      ...(main.output?.target !== undefined && { target: main.output.target }),
      strategy: main.strategy,
      interventions: [...main.interventions],
      pinned: this.pinned,
      colour: this.services.colours.of(routed),
      // Another engine may not be there again.
      ...(other?.model !== undefined && other.model === main.model && { other: otherMemory(main, other) }),
    };
    return JSON.stringify(memory);
  }

  /** Text that the model wrote, an output, and the text of another document are in no editor of this document. */
  isTextVisible(): boolean {
    const { routed } = this;
    if (!routed || editorsOf(routed.uri).length === 0) return false;
    const { main, other } = routed;
    if (main.output) return false;
    const shown = [main.trace?.sequences[0]?.text, other?.text].filter((text) => text !== undefined);
    return shown.every((text) => text === main.text);
  }

  lines(): DocumentLines | undefined {
    return this.routed && this.#lines.lines(this.routed);
  }

  visible(): VisibleLines | undefined {
    return this.routed && this.#lines.visible(this.routed);
  }

  colour(): TextColour | undefined {
    return this.routed && this.services.colours.of(this.routed);
  }

  token(): number | undefined {
    const { routed } = this;
    const editor = routed && editorsOf(routed.uri)[0];
    return editor && this.services.store.tokenAt(routed.id, editor.document.offsetAt(editor.selection.active));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    const unlisten = this.services.store.onChange(({ routed }) => {
      if (routed.id === this.#id) listener();
    });
    return () => {
      this.#listeners.delete(listener);
      unlisten();
    };
  }

  async handle(message: Parameters<Scene['handle']>[0], waiting?: Waiting): Promise<unknown> {
    const { runs } = this.services;
    switch (message.type) {
      case 'select':
        // An output is in no document.
        if ((message.sequence ?? 0) === 0) this.#select(message.token, message.end ?? message.token + 1);
        return;
      case 'reveal':
        if (this.routed) this.#lines.reveal(this.routed, message.line);
        return;
      case 'route':
        // The source could not be asked what it can do, and may be another by now.
        if (this.routed?.main.isOpening) return this.#again();
        return runs.route(this.#id, message.side, message.strategy, message.interventions);
      case 'again':
        return this.#again();
      case 'firstPart':
        return this.#firstPart();
      case 'attribute':
        await runs.attribute(this.#id);
        return;
      case 'lens':
        return runs.lens(this.#id, message.token);
      case 'generate': {
        const { maxTokens, temperature, seed } = message;
        return runs.generate(this.#id, { maxTokens, temperature, seed });
      }
      case 'insert':
        return this.#insert();
      case 'stop':
        runs.stop(this.#id);
        return;
      case 'compare':
        return this.#compare(message);
      case 'closeCompare':
        runs.closeCompare(this.#id);
        return;
      case 'save':
        return this.#save(message);
      case 'colour':
        this.services.colours.choose(this, message);
        return;
      case 'overlay':
        this.services.colours.overlay(this.#id, message.by);
        return;
      case 'pin':
        this.toPin(message.is);
        return;
      case 'history':
        await vscode.commands.executeCommand('gander.history');
        return;
      case 'openCard':
        return openCard(await this.services.service.pool(), message.expert);
      case 'ask':
        return runs.ask(this.#id, message.name, message.more, waiting);
    }
  }

  dispose(): void {
    this.#editors.dispose();
    this.services.colours.overlay(this.#id, '');
    this.#listeners.clear();
    this.#release();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** @param past one past the last token */
  #select(token: number, past: number): void {
    const { routed } = this;
    const spans = this.services.store.tokenSpans(this.#id);
    if (!routed || !spans) return;
    // Tokens that an edit removed, or that have no text, are nowhere.
    const there = spans.start.subarray(token, past).filter((start) => start >= 0);
    if (there.length === 0) return;
    this.services.mark.show(routed.uri, { start: there[0]!, end: Math.max(...spans.end.subarray(token, past)) });
  }

  /** Routes the text as it is now. Runs of the old text are ended, and what-ifs for some of its tokens are dropped. */
  async #again(): Promise<void> {
    const { routed } = this;
    if (!routed) return;
    this.services.runs.stop(this.#id);
    const { strategy, isOpening, interventions, output, model } = routed.main;
    await this.services.documentRouter.route(await openDocument(routed), routed.span, {
      strategy: isOpening ? undefined : strategy,
      target: output?.target,
      interventions: interventions.filter(({ scope }) => !isOfTokens(scope)),
      model,
      onAdded: ({ id }) => {
        this.show(id);
      },
    });
  }

  async #firstPart(): Promise<void> {
    const { routed } = this;
    if (!routed) return;
    await this.services.documentRouter.routeFirstPart(await openDocument(routed), routed.span, {
      onAdded: ({ id }) => {
        this.show(id);
      },
    });
  }

  async #insert(): Promise<void> {
    const { routed } = this;
    const written = routed && writtenIn(routed.main);
    if (!written) return;
    const uri = vscode.Uri.parse(routed.uri, true);
    const document = await vscode.workspace.openTextDocument(uri);
    const edit = new vscode.WorkspaceEdit();
    // A continuation directly follows the text; an output gets its own line.
    const before = routed.main.output ? (document.eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n') : '';
    edit.insert(uri, document.positionAt(routed.span.end), `${before}${written}`);
    if (await vscode.workspace.applyEdit(edit)) return;
    throw new GanderError(
      'request-invalid',
      vscode.l10n.t('The text could not be inserted.'),
      vscode.l10n.t('Copy it and paste it where you want it.'),
    );
  }

  async #compare({ strategy, interventions, selection }: Extract<PageMessage, { type: 'compare' }>): Promise<void> {
    const main = this.routed?.main;
    if (!main) return;
    const { experts, limits } = await this.services.service.describe();
    const { text, title } =
      selection === 'same'
        ? { text: main.text, title: strategyLabel(strategy, experts) }
        : await presentSelection(main.text, limits.tokens);
    await this.services.runs.compare(this.#id, { text, title, output: main.output, strategy, interventions });
  }

  async #save(message: Extract<PageMessage, { type: 'save' }>): Promise<void> {
    const main = this.routed?.main;
    if (!main?.trace) throw nothingToSave();
    if (message.kind === 'trace') await saveTrace(main.trace, main.title);
    else await saveDrawn(message, main.title);
  }
}

function otherMemory(
  main: SideResult,
  { title, text, strategy, interventions }: SideResult,
): NonNullable<PanelMemory['other']> {
  return { title, ...(text !== main.text && { text }), strategy, interventions: [...interventions] };
}

export function nothingToSave(): GanderError {
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('There is nothing to save yet.'),
    vscode.l10n.t('Run Route Selection first.'),
  );
}

function freshTokens({ fresh, main: { trace } }: Routed): number {
  const { end, count } = trace?.sequences[0]?.tokens ?? { count: 0 };
  const first = end?.findIndex((one) => one > fresh) ?? 0;
  return first < 0 ? count : first;
}

/** An output that was left open is written by each run anew. */
const isOfGenerated = ({ output, trace }: SideResult, generated: Generated): boolean =>
  !output || output.target !== undefined || trace === generated.trace;

function writtenOf(result: SideResult, generated: Generated): Written {
  const { asked, isFull, model, strategy, interventions } = generated;
  const sequence = generated.trace.sequences.at(-1)!;
  return {
    count: sequence.tokens.count - firstWritten(sequence, givenOf(result)),
    ...(asked !== undefined && { asked }),
    ...(isFull && { isFull }),
    otherwise: {
      ...(model !== undefined && result.model !== undefined && model !== result.model && { model }),
      ...(!isDeepStrictEqual(strategy, result.strategy) && { strategy }),
      ...(!isDeepStrictEqual(interventions, result.interventions) && { interventions }),
    },
  };
}

function toState(result: SideResult): SideState {
  const { title, model, strategy, interventions, lacksExperts, trace, before } = result;
  const { attribution, lenses, running, error, generated } = result;
  return {
    title,
    strategy,
    interventions,
    stale: false,
    ...(model !== undefined && { model }),
    ...(lacksExperts && { lacksExperts }),
    ...(writtenIn(result) && {
      given: givenOf(result),
      ...(generated && isOfGenerated(result, generated) && { written: writtenOf(result, generated) }),
    }),
    ...(trace && { trace }),
    ...(before && { before }),
    ...(attribution && { attribution }),
    ...(lenses && { lenses }),
    ...(running && { running }),
    ...(error && { error }),
  };
}
