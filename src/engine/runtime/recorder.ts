import {
  blank,
  blockColumns,
  type BlockColumnName,
  type ColumnArray,
  cut,
  mapColumns,
  sequenceColumns,
} from '../../trace/model/columns.js';
import type { Block, BlockColumns, Sequence, SequenceColumns, Tokens, Trace } from '../../trace/model/trace.js';
import type { TraceFrame } from '../../transport/pieces.js';
import type { Step } from './causal.js';

/** How a model's outputs become a trace. */
export interface Recording<S extends Step> {
  /** All of the trace except its columns. */
  readonly frame: Omit<TraceFrame, 'created'>;
  /** Columns of the blocks that the model gives besides `chosen`. */
  readonly columns: readonly BlockColumnName[];
  /** Writes `count` tokens of a step into the blocks' columns, which have room for `capacity`, from token `done` on. */
  fill(step: S, count: number, blocks: readonly BlockColumns[], done: number, capacity: number): void;
}

/** One sequence as it is read or written. */
export interface Read {
  readonly text: string;
  readonly tokens: Tokens;
}

/** Gathers the steps of one run into the trace of its sequences. */
export class Recorder<S extends Step = Step> {
  readonly #blocks: readonly Block[];
  readonly #sequences: readonly SequenceRecord[];
  /** What the run's partial traces share. */
  readonly #frame: Omit<Trace, 'sequences' | 'blocks'>;

  /**
   * @param capacities the most tokens that each sequence may have
   * @param readable one token as a person reads it
   */
  constructor(
    private readonly recording: Recording<S>,
    private readonly capacities: readonly number[],
    readable: (id: number) => string,
  ) {
    const { sequences, blocks, ...frame } = recording.frame;
    this.#frame = { ...frame, source: { ...frame.source }, created: new Date().toISOString() };
    this.#blocks = blocks.map((shape) => ({ ...shape, ...this.#blank(shape) }));
    this.#sequences = sequences.map((shape, i) => new SequenceRecord(shape, capacities[i]!, readable));
  }

  /** Number of tokens recorded of a sequence; by default of the last, which is the one that is generated. */
  done(sequence = this.#sequences.length - 1): number {
    return this.#sequences[sequence]!.done;
  }

  /** Records one chunk of `count` tokens of a sequence. */
  add(step: S, count: number, sequence = this.#sequences.length - 1): void {
    const own = this.#sequences[sequence]!;
    this.recording.fill(step, count, this.#blocks, own.done, this.capacities[sequence]!);
    own.add(step, count);
  }

  /** Sets the log-probability of a token of the last sequence, if no chunk gives it. */
  setLogProb(token: number, logProb: number): void {
    this.#sequences.at(-1)!.setLogProb(token, logProb);
  }

  /** All that is known so far, in arrays that later tokens go on filling, or cut to the tokens if these are fewer than the capacity. */
  trace(reads: readonly Read[]): Trace {
    return {
      ...this.#frame,
      sequences: this.#sequences.map((sequence, i) => sequence.as(reads[i]!)),
      blocks: this.#blocks.map((block) => {
        const capacity = this.capacities[block.sequence]!;
        const { count } = reads[block.sequence]!.tokens;
        const first = (array: ColumnArray) => cutTo(array, block.to - block.from, capacity, count);
        return { ...block, ...mapColumns(blockColumns, block, first) };
      }),
    };
  }

  #blank(shape: Omit<Block, keyof BlockColumns>): BlockColumns {
    const column = <N extends BlockColumnName>(name: N) => {
      const { width } = blockColumns[name];
      return blank(blockColumns[name], (shape.to - shape.from) * this.capacities[shape.sequence]! * shape[width]);
    };
    const own = this.recording.columns.map((name) => [name, column(name)] as const);
    return { ...Object.fromEntries(own), chosen: column('chosen') };
  }
}

/** The predictions for one sequence's tokens. */
class SequenceRecord {
  readonly #columns: Required<Omit<SequenceColumns, 'topTokens'>> | undefined;
  readonly #topTokens: string[];
  #done = 0;

  constructor(
    private readonly shape: TraceFrame['sequences'][number],
    private readonly capacity: number,
    private readonly readable: (id: number) => string,
  ) {
    const width = shape.predictions;
    // Nothing is predicted for what an encoder reads.
    if (width > 0)
      this.#columns = {
        logProb: blank(sequenceColumns.logProb, capacity),
        topIds: blank(sequenceColumns.topIds, capacity * width),
        topLogProb: blank(sequenceColumns.topLogProb, capacity * width),
      };
    this.#topTokens = new Array<string>(capacity * width).fill('');
  }

  get done(): number {
    return this.#done;
  }

  add({ logProb, topIds, topLogProb }: Step, count: number): void {
    const columns = this.#columns;
    const width = this.shape.predictions;
    for (let i = 0; columns && i < count; i++) {
      const t = this.#done + i;
      // The log-probability of the next token is recorded at that token; `setLogProb` may correct it later.
      if (t + 1 < this.capacity) columns.logProb[t + 1] = logProb[i]!;
      for (let p = 0; p < width; p++) {
        const id = Number(topIds[i * width + p]);
        columns.topIds[t * width + p] = id;
        columns.topLogProb[t * width + p] = topLogProb[i * width + p]!;
        this.#topTokens[t * width + p] = id < 0 ? '' : this.readable(id);
      }
    }
    this.#done += count;
  }

  setLogProb(token: number, logProb: number): void {
    if (this.#columns) this.#columns.logProb[token] = logProb;
  }

  as({ text, tokens }: Read): Sequence {
    const { capacity, shape } = this;
    const { count } = tokens;
    const columns = this.#columns;
    const topTokens = count === capacity ? this.#topTokens : this.#topTokens.slice(0, count * shape.predictions);
    return {
      ...shape,
      text,
      tokens,
      done: this.#done,
      ...(columns && {
        ...mapColumns(sequenceColumns, columns, (array) => cutTo(array, 1, capacity, count)),
        topTokens,
      }),
    };
  }
}

/** The first tokens of a column; the column itself if these are all. */
function cutTo<C extends ColumnArray>(array: C, rows: number, capacity: number, count: number): C {
  return count === capacity ? array : cut(array, rows, capacity, 0, count);
}
