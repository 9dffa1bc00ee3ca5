/** What the host sent, what it answered, and what the user is looking at, as signals. */
import { batch, computed, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type {
  AtlasCalls,
  AtlasHostPost,
  AtlasPagePost,
  OwnName,
  SimilarUnit,
  UnitKey,
  Where,
} from '../../src/atlas/protocol.js';
import { unitKeyIn } from '../../src/atlas/tables/cells.js';
import type { TableName } from '../../src/atlas/tables/index.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { Caller } from '../../src/channel/caller.js';
import { isAnswering } from '../../src/channel/messages.js';
import { type ErrorData, GanderError } from '../../src/errors/errors.js';
import type { Plot } from '../../src/paper/plot.js';
import type { FigureMessage } from '../../src/protocol/panel.js';
import { unitId } from '../../src/protocol/atlas.js';
import { rowsFor } from './finding.js';
import { type Kept, keptIn, type Looking } from './kept.js';
import { Atlas, type AtlasData, type FoundUnits, type Query } from './model.js';

export interface Host {
  postMessage(message: AtlasPagePost): void;
  getState(): unknown;
  setState(state: Kept): void;
}

/** Why the host did not do what was asked, and beside what to say so; undefined: above everything. */
export interface Refused {
  readonly error: ErrorData;
  readonly at: string | undefined;
}

/** A figure that is being saved. */
export interface SavedFigure {
  readonly title: string;
  readonly says: string;
  readonly plot: Plot;
}

interface Answer<N extends keyof AtlasCalls> {
  readonly result: AtlasCalls[N]['result'];
}

/** The way back is not endless. */
const longestPath = 50;

export class AtlasStore {
  readonly data = signal<AtlasData | undefined>(undefined);
  readonly atlas = computed(() => this.data.value && new Atlas(this.data.value));
  readonly names = signal<readonly OwnName[]>([]);
  readonly looking: Signal<Looking>;
  /** What is in the field of the search. Apart from the rest, so that only the field is drawn again at each key. */
  readonly typed: Signal<Query | null>;
  /** The units that were searched for. */
  readonly found = signal<FoundUnits | undefined>(undefined);
  readonly isFinding = signal(false);
  /** Why the host did not do what was asked last. */
  readonly refused = signal<Refused | undefined>(undefined);
  /** The unit whose page is open. */
  readonly unit = computed(() => {
    const key = this.looking.value.path.at(-1);
    return key && this.atlas.value?.unit(key);
  });
  readonly toSave = signal<SavedFigure | undefined>(undefined);
  /** The experts are being compared. */
  readonly isComparing = signal(false);
  /** The other experts by similarity to a unit's; empty until it was asked for. */
  readonly similar = signal<ReadonlyMap<string, readonly Row[]>>(new Map());
  /** The page has just changed: what comes into view takes the focus. */
  hasMoved = false;

  readonly #caller = new Caller<AtlasCalls>((message) => this.host.postMessage(message));
  #scrolled: number;
  readonly #rows = new Map<string, ReadonlySignal<readonly Row[] | undefined>>();

  constructor(private readonly host: Host) {
    const { typed, scrolled, ...looking } = keptIn(host.getState());
    this.looking = signal(looking);
    this.typed = signal(typed);
    this.#scrolled = scrolled;
  }

  receive(message: AtlasHostPost): void {
    if (isAnswering(message)) {
      this.#caller.take(message);
      return;
    }
    batch(() => {
      if (message.type === 'unit') this.open(message.unit);
      if (message.type !== 'unit') this.names.value = message.names;
      if (message.type !== 'atlas') return;
      this.#rows.clear();
      this.data.value = message;
    });
    if (message.type === 'atlas') void this.#find();
  }

  look(part: Partial<Looking>): void {
    this.looking.value = { ...this.looking.peek(), ...part };
    this.#keep();
  }

  type(query: Query): void {
    this.typed.value = query;
    this.#keep();
  }

  /** How far down the page is scrolled. */
  get scrolled(): number {
    return this.#scrolled;
  }

  scroll(to: number): void {
    this.#scrolled = to;
    this.#keep();
  }

  #keep(): void {
    this.host.setState({ ...this.looking.peek(), typed: this.typed.peek(), scrolled: this.#scrolled });
  }

  /** @param query null, or one without text, ends it */
  search(query: Query | null): Promise<void> {
    // A new one each time, so that the same can be searched for again.
    this.look({ searched: query && query.text !== '' ? { ...query } : null });
    return this.#find();
  }

  /** Only what was searched for is kept across reloads, so that what is found is always of the atlas on show. */
  async #find(): Promise<void> {
    const [{ searched }, atlas] = [this.looking.peek(), this.atlas.peek()];
    this.isFinding.value = searched !== null;
    const rows = searched && atlas && (await rowsFor(searched, atlas, (name, request) => this.ask(name, request)));
    const isLatest = searched === this.looking.peek().searched && atlas === this.atlas.peek();
    if (!isLatest) return;
    batch(() => {
      this.isFinding.value = false;
      // What was refused is not asked again by itself.
      if (!rows) this.look({ searched: null });
      this.found.value =
        searched && rows ? { ...searched, rows, units: new Set(rows.map((row) => unitId(unitKeyIn(row)))) } : undefined;
    });
  }

  open(unit: UnitKey): void {
    const { path } = this.looking.peek();
    this.refused.value = undefined;
    this.hasMoved = true;
    const last = path.at(-1);
    const next = last && unitId(last) === unitId(unit) ? path : [...path, unit];
    if (next !== path) this.#scrolled = 0;
    this.look({ path: next.slice(-longestPath) });
  }

  back(): void {
    this.#leaveTo(this.looking.peek().path.slice(0, -1));
  }

  overview(): void {
    this.#leaveTo([]);
  }

  #leaveTo(path: readonly UnitKey[]): void {
    const left = this.looking.peek().path.at(-1);
    if (!left) return;
    this.refused.value = undefined;
    this.hasMoved = true;
    this.look({ path, cursor: left });
  }

  /** Rows of a table, asked for once; undefined until they come. */
  rows(table: TableName, where: Where): readonly Row[] | undefined {
    const id = JSON.stringify([table, where]);
    const known = this.#rows.get(id);
    if (known) return known.value;
    const rows = signal<readonly Row[] | undefined>(undefined);
    this.#rows.set(id, rows);
    void this.#call('rows', { table, where }).then((answer) => {
      if (answer) rows.value = answer.result;
      else this.#rows.delete(id);
    });
    return rows.value;
  }

  async findSimilar(unit: UnitKey): Promise<void> {
    if (this.isComparing.peek()) return;
    this.isComparing.value = true;
    const answer = await this.ask('similar', { unit });
    batch(() => {
      this.isComparing.value = false;
      if (answer) this.similar.value = new Map([...this.similar.peek(), [unitId(unit), answer.result.map(asRow)]]);
    });
  }

  compareExperts(): void {
    this.host.postMessage({ type: 'compareExperts' });
  }

  /**
   * If the host refuses, the page says why, and there is no answer.
   * @param at the `data-focus` of what was pressed, if that says why, because the top of the page may be out of sight
   */
  ask<N extends keyof AtlasCalls>(
    name: N,
    request: AtlasCalls[N]['request'],
    at?: string,
  ): Promise<Answer<N> | undefined> {
    this.refused.value = undefined;
    return this.#call(name, request, at);
  }

  async #call<N extends keyof AtlasCalls>(
    name: N,
    request: AtlasCalls[N]['request'],
    at?: string,
  ): Promise<Answer<N> | undefined> {
    try {
      return { result: await this.#caller.ask(name, request) };
    } catch (thrown) {
      this.refused.value = { error: GanderError.from(thrown).toData(), at };
      return undefined;
    }
  }

  /** @returns whether it was kept */
  async name(own: OwnName): Promise<boolean> {
    if (!(await this.ask('name', own))) return false;
    const others = this.names.peek().filter((one) => unitId(one) !== unitId(own));
    this.names.value = own.name === '' && own.note === '' ? others : [...others, own];
    return true;
  }

  copy(text: string): void {
    this.host.postMessage({ type: 'copy', text });
  }

  /** What the dialog that saves a figure wants of the host. */
  send(message: FigureMessage): void {
    if (message.type !== 'save') {
      this.host.postMessage(message);
      return;
    }
    const { type: _, ...drawn } = message;
    void this.ask('save', { name: '', ...drawn });
  }
}

const asRow = (similar: SimilarUnit): Row => ({ ...similar });

const context = createContext<AtlasStore | undefined>(undefined);

export const AtlasProvider = context.Provider;

export const useAtlas = (): AtlasStore => useContext(context)!;
