/**
 * The store: what the host sent and what the user is looking at, as signals. Whatever draws from a signal is drawn again when
 * it changes.
 */
import { batch, computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals-core';
import { Caller } from '../../src/channel/caller.js';
import { isAnswering, type Options } from '../../src/channel/messages.js';
import { GanderError, isSameError, type ErrorData } from '../../src/errors/errors.js';
import { type ModelAtlas, UnitsById } from '../../src/protocol/atlas.js';
import type {
  DocumentLines,
  HostMessage,
  HostPost,
  PageCalls,
  PageMessage,
  PageNotice,
  PageRequest,
  PagePost,
  Side,
  SideState,
  VisibleLines,
} from '../../src/protocol/panel.js';
import type { RouteRequest } from '../../src/requests/api.js';
import type { RequestOf, ResultOf } from '../../src/requests/ask.js';
import type { SourceDescription } from '../../src/requests/description.js';
import type { RunRequestName } from '../../src/requests/table.js';
import type { Strategy } from '../../src/strategies/strategy.js';
import { SideReceiver } from '../../src/transport/sides.js';
import {
  lackFor,
  shownBy,
  type ColourChoice,
  type Colouring,
  type Overlay,
  type TextColour,
} from '../../src/trace/figures/colouring.js';
import { choiceChanges, haveChoicesInCommon, logProbChanges, type Change } from '../../src/trace/alignment/change.js';
import { layerAt } from '../../src/trace/model/access.js';
import { layerKey, layerOf } from '../../src/trace/model/shownExperts.js';
import type { Intervention, Sequence, Trace } from '../../src/trace/model/trace.js';
import { rangeOfKey } from '../../src/trace/model/ranges.js';
import { scoreName } from '../../src/trace/text/label.js';
import type { TextScope } from '../../src/trace/text/scopes.js';
import type { Partners, Background } from '../background/background.js';
import type { Plot } from '../../src/paper/plot.js';
import type { Lazy } from './lazy.js';
import { across, nowhere, samePlace, type Place } from './place.js';
import { SideSignals, type Asked, type ViewSignals } from './side.js';
import {
  allLayers,
  initial,
  restore,
  type Filter,
  type GridSource,
  type Selection,
  type Tab,
  type View,
} from './state.js';

export interface Host {
  postMessage(message: PagePost): void;
  getState(): unknown;
  setState(state: Kept): void;
}

/** `memory` belongs to the host, which finds a panel again by it after a reload. */
export type Kept = View & { readonly memory?: string };

/** A figure that a person wants to save: the map, or one with a title, what its numbers are, and its data. */
export type SavedFigure =
  | 'map'
  | {
      readonly title: string;
      readonly says: string;
      readonly plot: Plot;
      /** It shows both of two runs, not only the main one. */
      readonly ofBoth: boolean;
    };

/** The title of the run that it was about. */
export interface Lost {
  readonly attribution?: string;
  readonly comparison?: string;
}

/** A result that is brought into view once it is there. `from`: what had the focus where it was asked for, if that was on the page. */
interface Awaited {
  readonly what: string;
  readonly from?: Element | null;
}

/** Finds the parts of a text, once the code is loaded. */
type Scopes = Lazy<{ readonly scopeOf: (trace: Trace, title: string, key: string) => TextScope | undefined }>;

export class Store {
  readonly description = signal<SourceDescription | undefined>(undefined);
  /** The atlas that belongs to the model in use, and its units. */
  readonly atlas = signal<(ModelAtlas & { readonly find: UnitsById }) | undefined>(undefined);
  readonly poolError = signal<ErrorData | undefined>(undefined);
  /** The host has described its source, or has said that there is none. */
  readonly ready = signal(false);
  /** The panel keeps its run instead of following the editor; undefined: there is no choice. */
  readonly isPinned = signal<boolean | undefined>(undefined);
  /** All the text that there is to show is visible in an editor. */
  readonly isTextVisible = signal(false);
  /** Where the text's lines are in its document; undefined if there is none. */
  readonly lines = signal<DocumentLines | undefined>(undefined);
  /** The lines that are visible in its editor. */
  readonly visible = signal<VisibleLines | undefined>(undefined);
  readonly main: SideSignals;
  readonly other: SideSignals;
  readonly view: ViewSignals;
  /** A token that is selected in the other run and has no partner in the main run. */
  readonly lone = signal<Place>(nowhere);

  /** The chosen run, or the main one if there is no other to show. */
  readonly gridSource = computed<GridSource>(() => (this.other.trace.value ? this.view.gridSource.value : 'main'));
  /** The run that changes are relative to: the other one, or the main one without its what-if. */
  readonly against = computed(() => this.other.choices.value ?? this.main.before.value);
  /** An attribution colours the text while its tab is open, or for as long as it is chosen. */
  readonly colouredBy = computed<Colouring | Exclude<Overlay, ''>>(() => {
    const overlay = this.view.overlay.value;
    const attribution = this.main.attribution.value;
    const isLookedAt = this.view.tab.value === 'whatIf' && !this.view.passedOver.value;
    if (attribution && (isLookedAt || overlay === 'attribution')) return 'attribution';
    if (overlay === 'change' && this.against.value) return overlay;
    const [by, trace] = [this.view.colouring.value, this.main.trace.value];
    return trace ? shownBy(trace, { by, layer: '' }).by : by;
  });
  /** The person's choice if it waits for the scores of a run, as after a reload: until then, leading experts colour the text. */
  readonly awaitedColour = computed<Colouring | undefined>(() => {
    const [by, trace] = [this.view.colouring.value, this.main.trace.value];
    if (!trace || !this.main.scoresFollow.value || this.colouredBy.value !== 'experts') return undefined;
    return lackFor(trace, by) === `${scoreName(trace)}None` ? by : undefined;
  });
  /** What the model wrote, once its line has been closed; a generation anew opens it again. */
  readonly writtenClosed = signal('');
  /** A tab that was opened from elsewhere, until it has the focus. */
  readonly opened = signal<Tab | undefined>(undefined);
  awaited: Awaited | undefined;
  /** What the page had when it was last seen, and the host has no more: a reload of the window ended it. */
  readonly lost = signal<Lost>({});
  /** The tour is running, or starts once there is something to show. */
  readonly tour = signal(false);
  /** What the dialog for saving is about; undefined: it is closed. */
  readonly toSave = signal<SavedFigure | undefined>(undefined);
  readonly isTextFolded = computed(() => {
    const choice = this.view.textPane.value;
    return choice === 'auto' ? this.isTextVisible.value : choice === 'folded';
  });
  /** No choice of one of two runs can be one of the other: they have no experts in common. */
  readonly areStrangers = computed(() => {
    const [main, other] = [this.main.choices.value, this.other.choices.value];
    return main !== undefined && other !== undefined && !haveChoicesInCommon(main, other);
  });
  /** How two runs differ: in their choices or, if one of them chooses nothing, or nothing that the other could, in their predictions. */
  readonly differBy = computed<Change['by']>(() =>
    this.other.choices.value && (this.main.isFixed.value || this.other.isFixed.value || this.areStrangers.value)
      ? 'logProb'
      : 'choices',
  );
  readonly running = computed(() => this.main.isRunning.value || this.other.isRunning.value);
  /** The selected token of either run. The selection is in the main run, if its token has a partner there. */
  readonly placeIn: Readonly<Record<Side, ReadonlySignal<Place>>>;
  /** The index of the selected routed module in either run; runs of two sources may have different ones. −1: none. */
  readonly moduleIn: Readonly<Record<Side, ReadonlySignal<number>>>;

  private readonly refusal = signal<ErrorData | undefined>(undefined);
  /** Why the host did not do what was last asked, unless a side already shows the error. */
  readonly refused = computed(() => {
    const error = this.refusal.value;
    const shown = [this.main.error.value, this.other.error.value];
    return error && !shown.some((one) => one && isSameError(one, error)) ? error : undefined;
  });

  private readonly calls = new Caller<PageCalls>((message) => {
    this.host.postMessage(message);
  });
  private readonly incoming = new SideReceiver();
  private memory: string | undefined;
  private hadAttribution: boolean;
  /** The run that what was lost was about, once it is whole again. */
  private lostOf: string | undefined;
  /** The host has said whether there is another side. */
  private isOtherKnown = false;
  /** Title of the run that the other side was last seen beside. */
  private comparedWith: string | undefined;
  /** What the selection is in. */
  private placedIn: readonly Sequence[] = [];
  /** By sequence. While a text is being written again, the longest version that is known. */
  private texts: readonly (string | undefined)[] = [];
  private saving: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly host: Host,
    readonly background: Background,
    private readonly scopes: Scopes,
  ) {
    const kept = host.getState();
    this.view = Object.fromEntries(
      Object.entries(restore(kept)).map(([key, value]) => [key, signal<unknown>(value)]),
    ) as ViewSignals;
    this.main = new SideSignals(this.view);
    this.other = new SideSignals(this.view);
    const memory = (kept as Partial<Kept> | null | undefined)?.memory;
    if (typeof memory === 'string') this.memory = memory;
    // Until the main run has come, it is not known.
    this.hadAttribution = this.view.attributed.peek();

    const selected = computed<Place>(() => {
      const { sequence, token, end } = this.view.selection.value;
      return { sequence, token, ...(end !== undefined && { end }) };
    });
    this.placeIn = {
      main: selected,
      other: computed(() => {
        const at = selected.value;
        if (!this.main.trace.value || !this.other.trace.value) return at;
        if (at.token < 0) return this.lone.value;
        return across(at, this.partners.value?.[at.sequence]?.of);
      }),
    };
    const module = computed(() => this.view.selection.value.module);
    this.moduleIn = {
      main: module,
      other: computed(() => {
        const [main, other] = [this.main.choices.value, this.other.choices.value];
        if (module.value < 0 || !main || !other) return module.value;
        return moduleLike(main, module.value, other);
      }),
    };

    let over: Overlay = '';
    effect(() => {
      const by = this.colouredBy.value;
      const now = by === 'change' || by === 'attribution' ? by : '';
      if (now !== over) this.send({ type: 'overlay', by: now });
      over = now;
    });

    let before = this.snapshot();
    effect(() => {
      const now = this.snapshot();
      if (same(now, before)) return;
      before = now;
      clearTimeout(this.saving);
      this.saving = setTimeout(() => this.save(), 150);
    });
  }

  /** For each sequence, the partners of its tokens in `against`; undefined while they are being computed, or if there is no such run. */
  readonly partners = computed<readonly Partners[] | undefined>(() => {
    const [main, against] = [this.main.choices.value, this.against.value];
    return main && against && this.background.partners(main, against);
  });

  /** For each sequence, how its tokens changed; undefined while this is being computed, or if there is nothing to compare. */
  readonly changes = computed<readonly Change[] | undefined>(() => {
    const [main, against, partners] = [this.main.choices.value, this.against.value, this.partners.value];
    if (!main || !against || !partners) return undefined;
    return this.differBy.value === 'choices'
      ? choiceChanges(main, against, partners)
      : logProbChanges(main, this.other.trace.value ?? against, partners);
  });

  /** The scope in the main run's text; undefined: the whole text, or a part that this text does not have. */
  readonly scope = computed<TextScope | undefined>(() => {
    const [key, trace] = [this.view.scope.value, this.main.choices.value];
    if (key === '' || !trace) return undefined;
    if (!this.scopes.code.value) void this.scopes.want();
    return this.scopes.code.value?.scopeOf(trace, this.main.title.value, key);
  });

  side(side: Side): SideSignals {
    return side === 'main' ? this.main : this.other;
  }

  /** If the host cannot do it, the reason is shown where it was asked (`refused`). */
  send(message: PageMessage): void {
    if (isNotice(message)) {
      this.host.postMessage(message);
      return;
    }
    const { type, ...request } = message;
    const forget = this.sayAsked(message);
    this.calls
      .ask(type, request)
      .catch((thrown: unknown) => {
        const error = GanderError.from(thrown);
        if (error.code !== 'cancelled') this.refusal.value = error.toData();
      })
      .finally(forget);
  }

  /** A run that is asked for is shown as running. Returns what ends that, if the host says nothing of it. */
  private sayAsked(message: PageRequest): () => void {
    const what = runs[message.type];
    if (!what) return () => undefined;
    const { asked } = this.side('side' in message ? message.side : 'main');
    const now: Asked = { what, ...('interventions' in message && { interventions: message.interventions }) };
    asked.value = now;
    return () => {
      if (asked.peek() === now) asked.value = undefined;
    };
  }

  /** Asks something about the run on show that the host does not keep: the answer goes to the caller. Rejects with a GanderError. */
  async ask<N extends RunRequestName>(
    name: N,
    more: Omit<RequestOf<N>, keyof RouteRequest>,
    options?: Options,
  ): Promise<ResultOf<N>> {
    return (await this.calls.ask('ask', { name, more: { ...more } }, options)) as ResultOf<N>;
  }

  forgetRefusal(): void {
    this.refusal.value = undefined;
  }

  receive(message: HostPost): void {
    if (isAnswering(message)) {
      this.calls.take(message);
      return;
    }
    batch(() => {
      this.take(message);
    });
  }

  private take(message: HostMessage): void {
    switch (message.type) {
      case 'pool':
        this.description.value = message.description;
        this.poolError.value = message.error;
        this.ready.value = true;
        break;
      case 'atlas':
        this.atlas.value = message.atlas && { ...message.atlas, find: new UnitsById(message.atlas.units) };
        break;
      case 'piece':
        this.incoming.piece(message);
        break;
      case 'side': {
        const { state, asked } = this.side(message.side);
        const former = state.peek();
        state.value = this.incoming.side(message);
        if (state.value?.running) asked.value = undefined;
        if (message.side === 'main') {
          this.keepSelection();
          this.followAttribution();
          this.followRun();
        } else {
          this.lone.value = nowhere;
          this.followComparison(former, state.peek());
        }
        break;
      }
      case 'status': {
        const { state, asked } = this.side(message.side);
        if (!state.value) break;
        if (message.running) asked.value = undefined;
        const { running: _running, error: _error, fresh: _fresh, ...rest } = state.value;
        state.value = {
          ...rest,
          stale: message.stale,
          ...(message.fresh !== undefined && { fresh: message.fresh }),
          ...(message.running && { running: message.running }),
          ...(message.error && { error: message.error }),
        };
        if (message.side === 'main') this.followRun();
        break;
      }
      case 'select':
        this.select(
          {
            sequence: message.sequence ?? 0,
            token: message.token,
            ...(message.module === undefined ? {} : this.spot(message.module)),
          },
          'host',
        );
        break;
      case 'colour':
        this.colourAs(message);
        break;
      case 'pinned':
        this.isPinned.value = message.is;
        break;
      case 'textVisible':
        this.isTextVisible.value = message.is;
        break;
      case 'lines':
        this.lines.value = message.lines;
        break;
      case 'visible':
        this.visible.value = message.lines;
        break;
      case 'tour':
        this.tour.value = true;
        break;
      case 'filter':
        this.setFilter({ experts: message.expert === undefined ? [] : [message.expert] });
        break;
      case 'remember':
        this.memory = message.memory;
        this.save();
        break;
    }
  }

  set(part: Partial<View>): void {
    batch(() => {
      for (const [key, value] of Object.entries(part)) {
        const field = this.view[key as keyof View] as Signal<unknown>;
        if (!same(value, field.peek())) field.value = value;
      }
    });
  }

  /** Saves at once, for when the page is about to close. */
  save(): void {
    clearTimeout(this.saving);
    this.host.setState({ ...this.snapshot(), ...(this.memory === undefined ? {} : { memory: this.memory }) });
  }

  private snapshot(): View {
    return Object.fromEntries(Object.entries(this.view).map(([key, field]) => [key, field.value])) as unknown as View;
  }

  /** Shows a tab, wherever it was asked for; it takes the focus. */
  open(tab: Tab): void {
    this.set({ tab, maximised: false });
    this.opened.value = tab;
  }

  setFilter(part: Partial<Filter>): void {
    this.set({ filter: { ...this.view.filter.peek(), ...part } });
  }

  clearFilter(): void {
    this.set({ filter: initial.filter });
  }

  /** A selection `from` the host is not sent back: the editor knows it already. */
  select(part: Partial<Selection>, from: 'page' | 'host' = 'page'): void {
    const former = this.view.selection.peek();
    const { end, ...next } = { ...former, ...('token' in part && { end: undefined }), ...part };
    const count = this.main.trace.peek()?.sequences[next.sequence]?.tokens.count ?? 0;
    const token = Math.min(Math.max(next.token, -1), count - 1);
    const line = end === undefined ? {} : { end: Math.min(end, count) };
    const moved = token !== former.token || next.sequence !== former.sequence || line.end !== former.end;
    this.set({ selection: { ...next, token, ...line } });
    if (moved && from === 'page' && token >= 0)
      this.send({ type: 'select', token, ...line, ...(next.sequence > 0 && { sequence: next.sequence }) });
  }

  /** Extends the selection to a place in the same text. */
  extend(side: Side, { sequence, token, end = token + 1 }: Place): void {
    const now = this.placeIn[side].peek();
    if (now.sequence !== sequence || now.token < 0) this.selectIn(side, { sequence, token, end });
    else if (token < now.token) this.selectIn(side, { sequence, token, end: Math.max(end, now.end ?? now.token + 1) });
    else this.selectIn(side, { sequence, token: now.token, end });
  }

  /** Closes, one at a time, what is in front of the rest: the tour, then the maximised map, then the scope. */
  leave(): void {
    if (this.tour.peek()) this.tour.value = false;
    else if (this.view.maximised.peek()) this.set({ maximised: false });
    else this.set({ scope: '' });
  }

  selectIn(
    side: Side,
    place: Place,
    row: Pick<Selection, 'layer' | 'module'> = {
      layer: this.view.selection.peek().layer,
      module: this.moduleIn[side].peek(),
    },
  ): void {
    const [main, other] = [this.main.trace.peek(), this.other.trace.peek()];
    batch(() => {
      this.lone.value = nowhere;
      if (side === 'main' || !main || !other) {
        this.select({ ...row, ...place });
        return;
      }
      const own = across(place, this.partners.peek()?.[place.sequence]?.back);
      if (own.token < 0) this.lone.value = place;
      const module = row.module < 0 ? -1 : moduleLike(other, row.module, main);
      this.select({ layer: row.layer, module, ...own });
    });
  }

  /** A routed module and its layer, as a selection. */
  spot(module: number): Pick<Selection, 'layer' | 'module'> {
    const trace = this.main.trace.peek();
    const found = trace?.modules[module];
    return { module, layer: trace && found ? layerKey(layerAt(trace, found)) : '' };
  }

  /** Sets what colours text and map, here and in the text's editor. */
  colour(choice: ColourChoice): void {
    this.choose({ ...choice, over: '' });
  }

  /** Colours text and map by what is not in the run itself (a change, an attribution); empty: by the run. */
  overlay(overlay: Overlay): void {
    const { colouring, colourLayer, measureLayer } = this.view;
    const by = colouring.peek();
    this.choose({ by, layer: (by === 'experts' ? colourLayer : measureLayer).peek(), over: overlay });
  }

  private choose(choice: Omit<TextColour, 'passed'>): void {
    const passed = choice.over !== 'attribution' && this.main.attribution.peek() !== undefined;
    this.colourAs({ ...choice, passed });
    this.send({ type: 'colour', ...choice, passed });
  }

  private colourAs({ by, layer, over, passed }: TextColour): void {
    batch(() => {
      this.set({ colouring: by, overlay: over, passedOver: passed });
      if (by === 'experts') this.bringOut(layer);
      else this.set({ measureLayer: layer });
    });
  }

  /** Brings a layer's experts into sight. In a pool there is nothing to choose: its experts are the same in all layers. */
  lookAtLayer(layer: string): void {
    const shownExperts = this.main.shownExperts.peek();
    if (!shownExperts?.layer || layerKey(shownExperts.layer) === layer) return;
    const [chosen, seen] = [this.view.colouring.peek(), this.colouredBy.peek()];
    if (chosen === 'experts' && seen === 'experts') this.colour({ by: 'experts', layer });
    else this.bringOut(layer);
  }

  /** Moves the what-if form to a layer that was clicked, if each has its own experts: until then it stays where it was applied. */
  aimWhatIf(layer: string): void {
    const [trace, form] = [this.main.choices.peek(), this.view.whatIf.peek()];
    if (!trace || !this.main.shownExperts.peek()?.layer) return;
    const module = trace.modules.find(({ path }) => form.where === `module:${path}`);
    const at = module ? `layer:${layerKey(layerAt(trace, module))}` : form.where;
    // The expert of the former layer has nothing in common with that of the same number here.
    if (at !== `layer:${layer}` && at !== initial.whatIf.where)
      this.set({ whatIf: { ...form, where: `layer:${layer}`, expert: '' } });
  }

  /** Another model's experts and modules are others, even of the same name: the form about them starts anew. */
  private startWhatIf({ source: { kind, name, hash = '' } }: Trace): void {
    const of = JSON.stringify([kind, name, hash]);
    const former = this.view.whatIfOf.peek();
    this.set({ whatIfOf: of, ...(former !== '' && former !== of && { whatIf: initial.whatIf }) });
  }

  private bringOut(layer: string): void {
    if (layer === this.view.colourLayer.peek()) return;
    // Pins and filter were about the former layer's experts.
    this.set({ colourLayer: layer, pinned: [] });
    this.setFilter({ experts: [] });
  }

  route(interventions: readonly Intervention[], strategy: Strategy | undefined = this.main.strategy.peek()): void {
    if (strategy) this.send({ type: 'route', side: 'main', strategy, interventions });
  }

  /** Removes a notice of what was lost. */
  forgetLost(what: keyof Lost): void {
    const { [what]: _, ...rest } = this.lost.peek();
    this.lost.value = rest;
  }

  private followAttribution(): void {
    const { attribution, title, trace } = this.main;
    if (!trace.peek()) return;
    const attributed = attribution.peek() !== undefined;
    if (this.hadAttribution && !attributed) this.lost.value = { ...this.lost.peek(), attribution: title.peek() };
    this.hadAttribution = false;
    if (this.lost.peek().attribution !== undefined && attributed) this.forgetLost('attribution');
    this.set({ attributed });
  }

  /** What was lost belongs to the run that was on show then: with another in its place, nobody misses it. */
  private followRun(): void {
    const state = this.main.state.peek();
    const { attribution, comparison } = this.lost.peek();
    if (!state || (attribution === undefined && comparison === undefined)) return;
    const { title, model, strategy, interventions, trace, running, scoresFollow } = state;
    const isOtherText = [attribution, comparison].some((of) => of !== undefined && of !== title);
    const isWhole = trace?.sequences.every(({ done, tokens }) => done === tokens.count) === true;
    const run =
      isWhole && !running && !scoresFollow ? JSON.stringify([title, model, strategy, interventions]) : undefined;
    // The same text routed once more says so only by running.
    const isRun = running?.what === 'route' || running?.what === 'generate';
    if (isOtherText || (this.lostOf !== undefined && (isRun || (run !== undefined && run !== this.lostOf))))
      this.lost.value = {};
    else this.lostOf ??= run;
  }

  /** A comparison that opens is shown, and another in its place; one that is sent again after a reload leaves the view as it was. */
  private followComparison(former: SideState | undefined, now: SideState | undefined): void {
    const comparing = now !== undefined;
    if (!this.isOtherKnown && !comparing && this.view.comparing.peek()) {
      this.lost.value = { ...this.lost.peek(), comparison: this.main.title.peek() };
      this.followRun();
    } else this.forgetLost('comparison');
    this.isOtherKnown = true;
    // Who goes on to another text that is compared, too, has asked for no comparison.
    const isSameText = this.comparedWith === this.main.title.peek();
    this.comparedWith = this.main.title.peek();
    const opens = comparing !== this.view.comparing.peek();
    if (opens) this.set({ comparing, gridSource: 'main', overlay: comparing ? 'change' : '' });
    if (!now || !(opens || (isSameText && former && isAnotherRun(former, now)))) return;
    this.set({ tab: 'compare' });
    if (this.awaited?.what !== 'agreement') this.awaited = { what: 'agreement' };
  }

  /** A new trace may have fewer tokens or other routed modules than were selected. */
  private keepSelection(): void {
    const trace = this.main.trace.peek();
    if (!trace) return;
    // A range of tokens belongs to one text; a region is found again in another. Text that the model goes on writing changes nothing.
    const texts = trace.sequences.map(({ text }) => text);
    const of = rangeOfKey(this.view.scope.peek())?.sequence ?? -1;
    const [was, is] = [this.texts[of], texts[of]];
    if (was !== undefined && !is?.startsWith(was) && (is === undefined || !was.startsWith(is))) this.set({ scope: '' });
    this.startWhatIf(trace);
    this.texts = texts.map((text, s) => (text !== undefined && this.texts[s]?.startsWith(text) ? this.texts[s] : text));
    const { layer, module, ...place } = this.view.selection.peek();
    const kept = samePlace(place, this.placedIn, trace.sequences);
    // A layer that was looked at in another text says nothing of this one.
    const isOfText = kept.token >= 0 || place.token < 0;
    const fits = module < trace.modules.length && (layer === '' || layerOf(trace, layer) !== undefined);
    this.set({ selection: { ...kept, ...(isOfText && fits ? { layer, module } : allLayers) } });
    this.placedIn = trace.sequences;
  }
}

/** What the host runs for a request. */
const runs: Readonly<Partial<Record<PageRequest['type'], RunRequestName>>> = {
  route: 'route',
  again: 'route',
  firstPart: 'route',
  attribute: 'attribute',
  lens: 'lens',
  generate: 'generate',
};

/** Messages that expect no answer. */
const notices: Readonly<Record<PageNotice['type'], true>> = {
  ready: true,
  select: true,
  reveal: true,
  stop: true,
  copy: true,
  unit: true,
  colour: true,
  overlay: true,
  log: true,
};

function isNotice(message: PageMessage): message is PageNotice {
  return message.type in notices;
}

/** Whether something else was asked for than before; the parts of one run have their source in common. */
function isAnotherRun(former: SideState, now: SideState): boolean {
  const asked = ({ title, strategy, interventions }: SideState) => [title, strategy, interventions];
  const isGone = former.trace !== undefined && former.trace.source !== now.trace?.source;
  return isGone || !same(asked(former), asked(now));
}

/** The routed module of another trace with the same path; −1: it has none. */
function moduleLike(trace: Trace, module: number, other: Trace): number {
  const path = trace.modules[module]?.path;
  return other.modules.findIndex((one) => one.path === path);
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));
}
