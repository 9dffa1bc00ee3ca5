import {
  blank,
  blockColumns,
  type BlockColumnName,
  type ColumnArray,
  cut,
  mapColumns,
  sequenceColumns,
} from '../../trace/columns.js';
import type { Block, BlockColumns, SequenceColumns, Tokens, Trace } from '../../trace/trace.js';
import type { TraceFrame } from '../../transport/pieces.js';
import type { Step } from './causal.js';

/** How what a model gives becomes a trace. */
export interface Recording<S extends Step> {
  /** All of the trace but its columns. */
  readonly frame: Omit<TraceFrame, 'created'>;
  /** Columns of the blocks that the model gives beside `chosen`. */
  readonly columns: readonly BlockColumnName[];
  /** Writes `count` tokens of a step into the blocks' columns, which have room for `capacity`, from token `done` on. */
  fill(step: S, count: number, blocks: readonly BlockColumns[], done: number, capacity: number): void;
}

/** Gathers the steps of one run into the trace of a text. */
export class Recorder<S extends Step = Step> {
  readonly #blocks: readonly Block[];
  readonly #columns: Required<Omit<SequenceColumns, 'topTokens'>>;
  readonly #topTokens: string[];
  /** What the run's partial traces share. */
  readonly #frame: Omit<Trace, 'sequences' | 'blocks'>;
  #done = 0;

  /**
   * @param capacity tokens at most
   * @param readable one token as a person reads it
   */
  constructor(
    private readonly recording: Recording<S>,
    private readonly capacity: number,
    private readonly readable: (id: number) => string,
  ) {
    const { sequences, blocks, ...frame } = recording.frame;
    const width = sequences[0]!.predictions;
    this.#frame = { ...frame, source: { ...frame.source }, created: new Date().toISOString() };
    this.#blocks = blocks.map((shape) => ({ ...shape, ...this.#blank(shape) }));
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

  /** Takes in one chunk of `count` tokens. */
  add(step: S, count: number): void {
    this.recording.fill(step, count, this.#blocks, this.#done, this.capacity);
    const { logProb, topIds, topLogProb } = this.#columns;
    const width = this.recording.frame.sequences[0]!.predictions;
    for (let i = 0; i < count; i++) {
      const t = this.#done + i;
      // What the model says of the next token belongs to the next token; `setLogProb` may say better later.
      if (t + 1 < this.capacity) logProb[t + 1] = step.logProb[i]!;
      for (let p = 0; p < width; p++) {
        const id = Number(step.topIds[i * width + p]);
        topIds[t * width + p] = id;
        topLogProb[t * width + p] = step.topLogProb[i * width + p]!;
        this.#topTokens[t * width + p] = id < 0 ? '' : this.readable(id);
      }
    }
    this.#done += count;
  }

  /** Of a token whose log-probability no chunk gives. */
  setLogProb(token: number, logProb: number): void {
    this.#columns.logProb[token] = logProb;
  }

  /** All that is known so far, in arrays that later tokens go on to fill; or cut, where `tokens` are fewer than the capacity. */
  trace(text: string, tokens: Tokens): Trace {
    const { capacity } = this;
    const isWhole = tokens.count === capacity;
    const first = (array: ColumnArray, rows: number) => (isWhole ? array : cut(array, rows, capacity, 0, tokens.count));
    const sequence = this.recording.frame.sequences[0]!;
    return {
      ...this.#frame,
      sequences: [
        {
          ...sequence,
          text,
          tokens,
          done: this.#done,
          ...mapColumns(sequenceColumns, this.#columns, (array) => first(array, 1)),
          topTokens: isWhole ? this.#topTokens : this.#topTokens.slice(0, tokens.count * sequence.predictions),
        },
      ],
      blocks: this.#blocks.map((block) => ({
        ...block,
        ...mapColumns(blockColumns, block, (array) => first(array, block.to - block.from)),
      })),
    };
  }

  #blank(shape: Omit<Block, keyof BlockColumns>): BlockColumns {
    const column = <N extends BlockColumnName>(name: N) => {
      const { width } = blockColumns[name];
      return blank(blockColumns[name], (shape.to - shape.from) * this.capacity * shape[width]);
    };
    const own = this.recording.columns.map((name) => [name, column(name)] as const);
    return { ...Object.fromEntries(own), chosen: column('chosen') };
  }
}
