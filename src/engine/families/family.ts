/** What the engine asks of a kind of model. Each is a folder beside this file, and a line in index.ts. */
import type { Intervention } from '../../trace/model/trace.js';
import type { ModelInfo, NoneWithout, RouteRequest } from '../../requests/api.js';
import type { Requests } from '../../requests/schemas.js';
import type { OptionsOf } from '../../requests/ask.js';
import type { RequestName } from '../../requests/table.js';
import type { Cache } from '../runtime/cache.js';
import type { Chunk, Step } from '../runtime/causal.js';
import type { Recording } from '../runtime/recorder.js';
import type { LensPlace } from '../runtime/lens.js';
import type { Tokenizer } from '../runtime/tokenizer.js';

export interface Family {
  /** Whether a folder holds one, as far as the names of its files tell. */
  claims(folder: string): boolean;
  /**
   * @param tried absolute folder of an expert that is taken for one of the model's, though it lies elsewhere
   * @throws GanderError where the folder cannot be read as one, or the expert would not fit it
   */
  open(folder: string, means: Means, tried?: string): Model;
}

/** What the engine lends to a model. */
export interface Means {
  readonly cache: Cache;
  readonly threads: number;
  /** To be awaited before what may keep the process silent: composing, loading. */
  readonly loading: () => Promise<void>;
}

/** What a request is answered with beside itself. */
export type Turn<N extends RequestName> = OptionsOf<N> & {
  /** To be awaited between two parts of the work. @throws GanderError where it is to stop */
  readonly check: () => Promise<void>;
};

/** How requests are answered, as they were checked. */
export type Answers<N extends RequestName> = {
  readonly [One in N]?: (
    request: Requests[One]['request'],
    turn: Turn<One>,
  ) => Promise<Requests[One]['result']> | Requests[One]['result'];
};

/** A folder as it is on disk now, and what is kept in memory of it. */
export interface Model {
  readonly tokenizer: Tokenizer;
  /** In tokens. */
  readonly contextLength: number;
  /** Those that end a text. */
  readonly endTokens: ReadonlySet<number>;
  /** Of an encoder-decoder: the token that its output begins with. */
  readonly startToken?: number;
  /** The expert that lies elsewhere, if it was opened with one. */
  readonly tried?: string;
  /** Whether the folder is as it was when it was read. */
  isCurrent(): boolean;
  info(): Promise<ModelInfo>;
  /** Composes and loads what the request needs. @throws GanderError where the model cannot do it */
  begin(request: RouteRequest): Promise<Run>;
  /**
   * The same for what each layer would predict after one token.
   *
   * @throws GanderError where the model cannot do it, or it cannot be told of it
   */
  beginLens(request: RouteRequest, place: LensPlace): Promise<LensRuns>;
  /** What it can be asked beside what any model can (answers.ts). */
  readonly answers?: Answers<RequestName>;
  release(): Promise<void>;
}

/** Its steps say of L layers, first to last, what a run's say of T tokens; only the step with the token in it counts. */
export type LensRun = Pick<Run, 'encode' | 'run'>;

export interface LensRuns {
  /** As the model numbers them. */
  readonly layers: readonly number[];
  readonly routed: LensRun;
  /** The base with no expert; or why there is none beside the routed one. */
  readonly without: LensRun | NoneWithout;
}

/** One request, ready to run. */
export interface Run<S extends Step = Step> {
  readonly recording: Recording<S>;
  /** Of an encoder-decoder: reads the input, whole and first of all. What it gives is the past of the output's first chunk. */
  encode?(ids: Int32Array): Promise<S>;
  run(chunk: Chunk): Promise<S>;
  /** The same request with one intervention more. */
  with(intervention: Intervention): Run<S>;
}
