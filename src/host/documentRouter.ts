import * as vscode from 'vscode';
import type { RoutingService } from '../routing/service.js';
import type { History } from '../routing/history.js';
import type { Manner, Runs, Waiting } from '../routing/runs.js';
import type { Span } from '../routing/positions.js';
import type { Output, Routed, RoutingStore } from '../routing/store.js';
import { GanderError } from '../errors/errors.js';
import type { SourceDescription } from '../requests/description.js';
import type { Strategy } from '../strategies/strategy.js';
import type { Intervention } from '../trace/model/trace.js';
import { preferredStrategy, readSettings, section, wantedStrategy } from './settings.js';
import { checkText, documentOf, firstPart, rangeOf, titleOf } from './texts.js';

/** Characters per token at the first attempt. A refusal costs little, so each next one gives up little. */
const charactersPerToken = 4;
const shrinking = 0.8;
const attempts = 12;

export interface DocumentRouteOptions extends Waiting {
  /** Default: what a person chose for this document, or last for another; before that, what the settings say. */
  readonly strategy?: Strategy | undefined;
  readonly interventions?: readonly Intervention[];
  /** The model that ran with this strategy and these interventions; another one takes of them what it can. Default: the one in use. */
  readonly model?: string | undefined;
  /** The output, for an encoder-decoder; default: it writes one. */
  readonly target?: string | undefined;
  /** Called when the range is in the store and about to run. */
  readonly onAdded?: (routed: Routed) => void;
}

/** Routes ranges of open documents, and keeps the store up to date with their edits. */
export class DocumentRouter implements vscode.Disposable {
  readonly #subscriptions: vscode.Disposable[];

  constructor(
    private readonly service: RoutingService,
    private readonly store: RoutingStore,
    private readonly runs: Runs,
    history: History,
  ) {
    this.#subscriptions = [
      vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        const changes = contentChanges.map(({ rangeOffset: offset, rangeLength: length, text }) => ({
          offset,
          length,
          text,
        }));
        if (changes.length > 0) this.#edited(document, changes);
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        const names = ['strategy', 'expertsPerToken', 'pool', 'engine.address'];
        if (names.some((name) => event.affectsConfiguration(`${section}.${name}`))) this.runs.chosen.forget();
      }),
      vscode.workspace.onDidOpenTextDocument((document) => {
        const read = (span: Span) => document.getText(rangeOf(document, span));
        for (const kept of [this.store, history]) kept.reopened(document.uri.toString(), read);
      }),
    ];
  }

  /** Rejects with a GanderError; resolves with the finished range. */
  async route(document: vscode.TextDocument, span: Span, options: DocumentRouteOptions = {}): Promise<Routed> {
    const text = document.getText(rangeOf(document, span));
    checkText(text);
    const uri = document.uri.toString();
    const manner = options.strategy ? options : { ...options, ...this.runs.chosen.for(uri) };
    const { strategy = wantedStrategy(), interventions = [] } = manner;
    const { id } = this.store.add({
      uri,
      version: document.version,
      span,
      main: { text, title: titleOf(document, span), strategy, isOpening: true, interventions },
    });
    // A model may take seconds to load; meanwhile the panel is already there and says so.
    options.onAdded?.(this.store.get(id)!);
    const choose = async () => {
      const source = await this.service.describe();
      checkText(text, source.limits.tokens);
      return { ...mannerFor(source, manner), output: outputFor(source, options.target) };
    };
    try {
      await this.runs.open(id, choose, options);
    } catch (error) {
      const main = this.store.get(id)?.main;
      // Stopped before its first token: it stays, and the panel says so and offers to route it again.
      if (main && !main.trace && !main.error)
        this.store.patchSide(id, 'main', { error: GanderError.from(error).toData() });
      throw error;
    }
    return this.store.get(id)!;
  }

  /** Routes as much of the beginning as the model can read. */
  async routeFirstPart(document: vscode.TextDocument, span: Span, options: DocumentRouteOptions = {}): Promise<Routed> {
    const { limits } = await this.service.describe();
    const text = document.getText(rangeOf(document, span));
    let characters = (limits.tokens ?? text.length) * charactersPerToken;
    for (let attempt = 1; ; attempt++) {
      const part = firstPart(text, characters);
      try {
        return await this.route(document, { start: span.start, end: span.start + part.length }, options);
      } catch (thrown) {
        if (GanderError.from(thrown).code !== 'text-too-long' || attempt === attempts) throw thrown;
        characters = Math.floor(part.length * shrinking);
      }
    }
  }

  /** What a command applies to if no range is given: the range under the active editor's cursor, or the last one. */
  current(): Routed | undefined {
    const editor = vscode.window.activeTextEditor;
    if (!editor) return this.store.latest;
    const uri = editor.document.uri.toString();
    return (
      this.store.at(uri, editor.document.offsetAt(editor.selection.active)) ??
      this.store.of(uri)[0] ??
      this.store.latest
    );
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #edited(document: vscode.TextDocument, changes: Parameters<RoutingStore['edit']>[1]): void {
    this.store.edit(document.uri.toString(), changes, (span) => document.getText(rangeOf(document, span)));
  }
}

/** A strategy that a model does not offer, and what-ifs on experts that it does not have, stay with the one that had them. */
function mannerFor(source: SourceDescription, { strategy, interventions = [], model }: DocumentRouteOptions): Manner {
  if (model === undefined) return { strategy: strategy ?? preferredStrategy(source), interventions };
  const { can, limits, experts } = source;
  const has = (expert: string) => experts.some(({ id }) => id === expert);
  const isPossible =
    can.strategies.some(({ name }) => name === strategy?.name) &&
    (strategy?.k ?? 1) <= (limits.mostK ?? experts.length) &&
    (strategy?.expert === undefined || has(strategy.expert));
  const kept = interventions.filter(({ expert }) => has(expert));
  return {
    strategy: strategy && isPossible ? strategy : preferredStrategy(source),
    interventions: kept,
    ...(kept.length < interventions.length && { lacksExperts: true }),
  };
}

/** @throws GanderError `request-invalid` for a target that the source does not take */
export function outputFor({ name, can }: SourceDescription, target: string | undefined): Output | undefined {
  if (target !== undefined && !can.target)
    throw new GanderError(
      'request-invalid',
      vscode.l10n.t('{0} goes on with its text: it takes no target.', name),
      vscode.l10n.t('Run Route Selection, or choose a pool on an encoder-decoder.'),
    );
  if (!can.target) return undefined;
  return target === undefined ? { maxTokens: readSettings().outputTokens } : { target };
}

/** The document of a range, opened if it is not open. */
export async function openDocument(routed: Routed): Promise<vscode.TextDocument> {
  return documentOf(routed.uri) ?? vscode.workspace.openTextDocument(vscode.Uri.parse(routed.uri, true));
}
