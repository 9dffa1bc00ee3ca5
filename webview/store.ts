/** One store: what the host sent, and where one looks. Views say what they draw from; a change redraws those, once a frame. */
import type { PoolInfo } from '../src/engine/api.js';
import type { ErrorData } from '../src/shared/errors.js';
import type { HostMessage, PageMessage, Side, SideState } from '../src/shared/panelProtocol.js';
import { SideReceiver } from '../src/trace/sides.js';
import type { Intervention, Strategy, Trace } from '../src/trace/trace.js';
import { partners } from './raster.js';
import { initial, restore, type Filter, type GridSource, type Selection, type View } from './state.js';

export interface Host {
  postMessage(message: PageMessage): void;
  getState(): unknown;
  setState(state: Kept): void;
}

/** `memory` is the host's: by it a panel is found again after a reload. */
export type Kept = View & { readonly memory?: string };

/**
 * What changed: the pool, a side's trace or request, only the affinities of a trace, which come last, what runs on a side
 * or went wrong, how far it is, or a part of the view.
 */
export type Change = 'pool' | 'main' | 'other' | 'affinities' | 'status' | 'progress' | 'theme' | keyof View;

type Listener = (changes: ReadonlySet<Change>) => void;

export class Store {
  pool: PoolInfo | undefined;
  poolError: ErrorData | undefined;
  /** The host has said which pool there is, or that there is none. */
  ready = false;
  replay = false;
  sides: Record<Side, SideState | undefined> = { main: undefined, other: undefined };
  view: View;

  /** A token of the other run that has no counterpart, selected there; −1: none. */
  lone = -1;

  private readonly incoming = new SideReceiver();
  private memory: string | undefined;
  private readonly listeners: Listener[] = [];
  private changes = new Set<Change>();
  private frame = 0;
  private saving: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly host: Host) {
    const kept = host.getState();
    this.view = restore(kept);
    const memory = (kept as Partial<Kept> | null | undefined)?.memory;
    if (typeof memory === 'string') this.memory = memory;
  }

  get main(): Trace | undefined {
    return this.sides.main?.trace;
  }

  get other(): Trace | undefined {
    return this.sides.other?.trace;
  }

  /** What was chosen, or this run when there is no other to show. */
  get gridSource(): GridSource {
    return this.other ? this.view.gridSource : 'main';
  }

  get running(): boolean {
    return this.sides.main?.running !== undefined || this.sides.other?.running !== undefined;
  }

  /** Draws when one of `to` changes, and when the theme does. */
  on(to: readonly Change[], draw: (changes: ReadonlySet<Change>) => void): void {
    this.listeners.push((changes) => {
      if (changes.has('theme') || to.some((change) => changes.has(change))) draw(changes);
    });
  }

  send(message: PageMessage): void {
    this.host.postMessage(message);
  }

  receive(message: HostMessage): void {
    switch (message.type) {
      case 'pool':
        this.pool = message.pool;
        this.poolError = message.error;
        this.ready = true;
        this.touch('pool');
        break;
      case 'piece':
        this.incoming.piece(message);
        break;
      case 'side': {
        const former = this.sides[message.side];
        const now = (this.sides[message.side] = this.incoming.side(message));
        if (former && now && onlyAffinities(former, now)) {
          this.touch('affinities', 'status');
          break;
        }
        if (message.side === 'main') this.keepSelection();
        else {
          this.lone = -1;
          this.followComparison(message.state !== undefined);
        }
        this.touch(message.side);
        break;
      }
      case 'status': {
        const side = this.sides[message.side];
        if (!side) break;
        this.sides[message.side] = {
          ...without(side, 'running', 'error'),
          stale: message.stale,
          ...(message.running ? { running: message.running } : {}),
          ...(message.error ? { error: message.error } : {}),
        };
        const goesOn =
          side.running?.what === message.running?.what && side.stale === message.stale && !side.error && !message.error;
        this.touch(goesOn ? 'progress' : 'status');
        break;
      }
      case 'select':
        this.select(
          { token: message.token, ...(message.module === undefined ? {} : this.place(message.module)) },
          'host',
        );
        break;
      case 'filter':
        this.setFilter({ experts: message.expert === undefined ? [] : [message.expert] });
        break;
      case 'remember':
        this.memory = message.memory;
        this.save();
        break;
      case 'replay':
        this.replay = true;
        this.touch('pool');
        break;
    }
  }

  set(part: Partial<View>): void {
    const changed = (Object.keys(part) as (keyof View)[]).filter((key) => !same(part[key], this.view[key]));
    if (changed.length === 0) return;
    this.view = { ...this.view, ...part };
    this.touch(...changed);
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      this.save();
    }, 150);
  }

  /** At once: before the page goes. */
  save(): void {
    clearTimeout(this.saving);
    this.host.setState({ ...this.view, ...(this.memory === undefined ? {} : { memory: this.memory }) });
  }

  setFilter(part: Partial<Filter>): void {
    this.set({ filter: { ...this.view.filter, ...part } });
  }

  clearFilter(): void {
    this.set({ filter: initial.filter });
  }

  /** `from` the host, the editor knows already. */
  select(part: Partial<Selection>, from: 'page' | 'host' = 'page'): void {
    const last = this.main ? this.main.tokens.ids.length - 1 : -1;
    const next = { ...this.view.selection, ...part };
    const token = Math.min(Math.max(next.token, -1), last);
    const moved = token !== this.view.selection.token;
    this.set({ selection: { ...next, token } });
    if (moved && from === 'page' && token >= 0) this.send({ type: 'select', token });
  }

  /** The selected token of either run; −1: none. The selection is in the main run, if its token has a counterpart there. */
  tokenOf(side: Side): number {
    const { token } = this.view.selection;
    if (side === 'main' || !this.main || !this.other) return token;
    return token < 0 ? this.lone : (partners(this.main, this.other).of[token] ?? -1);
  }

  /** The selected module as either run counts them; runs of two pools may have different ones. */
  moduleOf(side: Side): number {
    const { module } = this.view.selection;
    if (side === 'main' || module < 0 || !this.main || !this.other) return module;
    const path = this.main.modules[module]?.path;
    return this.other.modules.findIndex((m) => m.path === path);
  }

  selectIn(
    side: Side,
    token: number,
    row: { readonly layer: number; readonly module: number } = this.view.selection,
  ): void {
    if (side === 'main' || !this.main || !this.other) {
      this.lone = -1;
      this.select({ ...row, token });
      return;
    }
    const path = this.other.modules[row.module]?.path;
    const module = row === this.view.selection ? row.module : this.main.modules.findIndex((m) => m.path === path);
    const own = partners(this.main, this.other).back[token] ?? -1;
    this.lone = own < 0 ? token : -1;
    this.select({ layer: row.layer, module, token: own });
    this.touch('selection');
  }

  place(module: number): Pick<Selection, 'layer' | 'module'> {
    return { module, layer: this.main?.modules[module]?.layer ?? -1 };
  }

  route(interventions: readonly Intervention[], strategy: Strategy | undefined = this.sides.main?.strategy): void {
    if (strategy) this.send({ type: 'route', side: 'main', strategy, interventions });
  }

  touch(...changes: Change[]): void {
    for (const change of changes) this.changes.add(change);
    this.frame ||= requestAnimationFrame(() => {
      this.flush();
    });
  }

  private flush(): void {
    this.frame = 0;
    const changes = this.changes;
    this.changes = new Set();
    for (const listener of this.listeners) listener(changes);
  }

  /** A comparison that opens is shown; one that is replayed after a reload leaves the view as it was. */
  private followComparison(comparing: boolean): void {
    if (comparing === this.view.comparing) return;
    const { tab } = this.view;
    this.set({
      comparing,
      gridSource: comparing ? 'difference' : 'main',
      tab: comparing ? 'compare' : tab === 'compare' ? 'summary' : tab,
    });
  }

  /** A new trace may have fewer tokens or other modules than the place one looked at. */
  private keepSelection(): void {
    const trace = this.main;
    if (!trace) return;
    const { token, module, layer } = this.view.selection;
    const fits = module < trace.modules.length && (layer < 0 || trace.modules.some((m) => m.layer === layer));
    this.set({
      selection: {
        token: Math.min(token, trace.tokens.ids.length - 1),
        ...(fits ? { module, layer } : { module: -1, layer: -1 }),
      },
    });
  }
}

/** Traces of one run share their arrays. */
function onlyAffinities(former: SideState, now: SideState): boolean {
  const same = (a: Trace | undefined, b: Trace | undefined) => a?.chosen === b?.chosen && a?.done === b?.done;
  return (
    former.affinitiesFollow === true &&
    !now.affinitiesFollow &&
    same(former.trace, now.trace) &&
    same(former.before, now.before)
  );
}

function without<T extends object, K extends keyof T>(object: T, ...keys: readonly K[]): Omit<T, K> {
  const rest = { ...object };
  for (const key of keys) Reflect.deleteProperty(rest, key);
  return rest;
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));
}
