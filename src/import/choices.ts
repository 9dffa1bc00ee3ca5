import { importLimits, traceLimits } from '../checks/limits.js';
import { blank, blockColumns } from '../trace/model/columns.js';
import { type ReadModule, type Routing } from './reader.js';
import { unreadable } from './unreadable.js';

type Numbers = Int32Array | Float32Array;

/** Collects choices in any order in which a file names them, and turns them into the columns of a block. */
export class Choices {
  readonly #modules: ReadModule[] = [];
  readonly #indexes = new Map<string | number, number>();
  #length = 0;
  #module = new Int32Array(1024);
  #token = new Int32Array(1024);
  #rank = new Int32Array(1024);
  #expert = new Int32Array(1024);
  #weight: Float32Array | undefined;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** @param key identifies the module: its layer, if a layer has one router */
  moduleOf(key: string | number, module: ReadModule): number {
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.#modules.push(module) - 1;
      if (index >= traceLimits.modules) throw unreadable(`it has more than ${traceLimits.modules} layers`);
      this.#indexes.set(key, index);
    }
    return index;
  }

  /** @param expert −1: not known */
  add(module: number, token: number, rank: number, expert: number, weight?: number): void {
    if (token >= traceLimits.tokens) throw unreadable(`it has more than ${traceLimits.tokens} tokens`);
    if (rank >= traceLimits.experts) throw tooManyExperts();
    checkExpert(expert);
    const i = this.#length++;
    if (i >= importLimits.choices) throw unreadable(`it has more than ${importLimits.choices} choices`);
    if (i === this.#module.length) this.#grow();
    this.#module[i] = module;
    this.#token[i] = token;
    this.#rank[i] = rank;
    this.#expert[i] = expert;
    if (weight === undefined) return;
    this.#weight ??= new Float32Array(this.#module.length).fill(NaN);
    this.#weight[i] = weight;
  }

  #grow(): void {
    const twice = <N extends Numbers>(old: N, fill = 0): N => {
      const grown = new (old.constructor as new (length: number) => N)(2 * old.length).fill(fill) as N;
      grown.set(old);
      return grown;
    };
    this.#module = twice(this.#module);
    this.#token = twice(this.#token);
    this.#rank = twice(this.#rank);
    this.#expert = twice(this.#expert);
    this.#weight &&= twice(this.#weight, NaN);
  }

  /** Modules are sorted by layer; those of one layer stay in the order in which they came. */
  columns(): Pick<Routing, 'modules' | 'tokens' | 'k' | 'chosen' | 'weight'> {
    const order = [...this.#modules.keys()].sort((a, b) => this.#modules[a]!.layer - this.#modules[b]!.layer || a - b);
    const row = new Int32Array(order.length);
    order.forEach((module, s) => (row[module] = s));
    const tokens = 1 + this.#most(this.#token);
    const k = 1 + this.#most(this.#rank);
    checkCells(order.length, tokens, k);
    const chosen = blank(blockColumns.chosen, order.length * tokens * k);
    const weight = this.#weight && blank(blockColumns.weight, chosen.length);
    for (let i = 0; i < this.#length; i++) {
      const cell = row[this.#module[i]!]! * tokens + this.#token[i]!;
      const at = cell * k + this.#rank[i]!;
      if (chosen[at] !== -1) throw this.#twice(i);
      chosen[at] = this.#expert[i]!;
      if (weight) weight[at] = this.#weight![i]!;
    }
    checkCellsWhole(chosen, k);
    return { modules: order.map((module) => this.#modules[module]!), tokens, k, chosen, ...(weight && { weight }) };
  }

  #most(numbers: Int32Array): number {
    let most = -1;
    for (let i = 0; i < this.#length; i++) most = Math.max(most, numbers[i]!);
    return most;
  }

  #twice(i: number) {
    const { layer } = this.#modules[this.#module[i]!]!;
    return unreadable(
      `it gives the choices of token ${this.#token[i]!} in layer ${layer} twice`,
      'If it has several texts, split it into one file per text.',
    );
  }
}

/** @throws Unreadable for an expert that no trace can name; −1 stands for an unknown one */
export function checkExpert(expert: number): void {
  if (expert >= traceLimits.experts) throw tooManyExperts();
  if (expert < -1) throw unreadable(`it names an expert ${expert}`);
}

function tooManyExperts() {
  return unreadable(`it has more than ${traceLimits.experts} experts`);
}

/** Checked before memory is allocated: a few lines can name a token and a layer with huge numbers. */
export function checkCells(modules: number, tokens: number, width: number): void {
  if (modules * tokens * width > importLimits.choices * 2)
    throw unreadable(`${modules} layers of ${tokens} tokens with ${width} numbers each are more than can be shown`);
}

/** A cell has its best choices first, without gaps, and no expert twice. */
function checkCellsWhole(chosen: Int16Array, k: number): void {
  for (let at = 0; at < chosen.length; at += k)
    for (let i = at + 1; i < at + k; i++)
      if (chosen[i]! >= 0 && chosen[i - 1]! < 0) throw unreadable('a token has a second choice and no first');
  const twice = chosenTwice(chosen, k);
  if (twice !== undefined) throw unreadable(`a token chose expert ${twice} twice in one layer`);
}

/**
 * The first expert that a cell names more than once, found in one pass over all cells.
 * @param chosen [cells, k], each below `traceLimits.experts`; negative: not known
 */
export function chosenTwice(chosen: ArrayLike<number>, k: number): number | undefined {
  const lastCell = new Int32Array(traceLimits.experts).fill(-1);
  for (let i = 0, cell = 0; i < chosen.length; cell++)
    for (const end = Math.min(i + k, chosen.length); i < end; i++) {
      const expert = chosen[i]!;
      if (expert < 0) continue;
      if (lastCell[expert] === cell) return expert;
      lastCell[expert] = cell;
    }
  return undefined;
}
