/** What the editor keeps of an atlas's page while that is hidden, and across reloads. Pure. */
import type { UnitKey } from '../../src/atlas/protocol.js';
import { isObject } from '../../src/checks/plain.js';
import { type Colouring, colourings } from './colouring.js';
import { type Query, searchKinds } from './model.js';

/** What the user is looking at. */
export interface Looking {
  readonly by: Colouring;
  /** The label whose lift colours the map; empty: the first. */
  readonly label: string;
  /** Names of figures that are shown as tables. */
  readonly tables: readonly string[];
  /** The units whose pages were opened, one from the other; the last is on show. Empty: the overview. */
  readonly path: readonly UnitKey[];
  /** The unit that the map's cursor is on. */
  readonly cursor: UnitKey | null;
  /** What units were searched for; null: nothing. */
  readonly searched: Query | null;
}

/** All of it: also what is not drawn again whenever it changes. */
export interface Kept extends Looking {
  /** What is in the field of the search; null: nothing was typed. */
  readonly typed: Query | null;
  /** How far down the page is scrolled, in pixels. */
  readonly scrolled: number;
}

const initial: Kept = {
  by: 'load',
  label: '',
  tables: [],
  path: [],
  cursor: null,
  searched: null,
  typed: null,
  scrolled: 0,
};

/** What came back, whatever it is. */
export function keptIn(kept: unknown): Kept {
  if (!isObject(kept)) return initial;
  const { by, label, tables, path, cursor, searched, typed, scrolled } = kept as Partial<Record<keyof Kept, unknown>>;
  const texts = Array.isArray(tables) ? tables.filter((name): name is string => typeof name === 'string') : [];
  return {
    by: colourings.find((one) => one === by) ?? initial.by,
    label: typeof label === 'string' ? label : '',
    tables: texts,
    path: Array.isArray(path) ? path.filter(isUnitKey) : [],
    cursor: isUnitKey(cursor) ? cursor : null,
    // A text would be run, on a server perhaps, without anybody having asked.
    searched: isQuery(searched) && searched.kind !== 'text' ? searched : null,
    typed: isQuery(typed) ? typed : null,
    scrolled: typeof scrolled === 'number' ? scrolled : 0,
  };
}

function isUnitKey(value: unknown): value is UnitKey {
  if (!isObject(value)) return false;
  const { stack, layer, router, expert } = value;
  return (
    (stack === null || stack === 'encoder' || stack === 'decoder') &&
    (layer === null || typeof layer === 'number') &&
    (router === null || typeof router === 'string') &&
    typeof expert === 'number'
  );
}

function isQuery(value: unknown): value is Query {
  return isObject(value) && searchKinds.some((kind) => kind === value['kind']) && typeof value['text'] === 'string';
}
