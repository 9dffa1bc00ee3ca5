/** What the engine needs from a kind of model. Each kind is a folder beside this file, and a line in index.ts. */
import type { Intervention } from '../../trace/model/trace.js';
import type { ModelInfo, NoneWithout, RouteRequest } from '../../requests/api.js';
import type { Requests } from '../../requests/schemas.js';
import type { OptionsOf } from '../../requests/ask.js';
import type { RequestName } from '../../requests/table.js';
import type { Cache } from '../runtime/cache.js';
import type { Chunk, Step } from '../runtime/causal.js';
import type { Recording } from '../runtime/recorder.js';
import type { LensPlace } from '../runtime/lens.js';
import type { Hardware } from '../runtime/session.js';
import type { Tokenizer } from '../runtime/tokenizer.js';

export interface Family {
  /** Whether a folder contains such a model, judging by the names of its files. */
  claims(folder: string): boolean;
  /**
   * @param tried absolute folder of an expert that is to be tried as one of the model's, though it is not in its folder
   * @throws GanderError if the folder cannot be read as such a model, or the expert does not fit it
   */
  open(folder: string, means: Means, tried?: string): Model;
}

/** What the engine provides to a model. */
export interface Means {
  readonly cache: Cache;
  readonly on: Hardware;
  /** Must be awaited before work that may keep the process silent: composing, loading. */
  readonly loading: () => Promise<void>;
}

/** What an answer gets besides the request. */
export type Turn<N extends RequestName> = OptionsOf<N> & {
  /** Must be awaited between parts of the work. @throws GanderError if the work should stop */
  readonly check: () => Promise<void>;
};

/** How each request is answered, once it was checked. */
export type Answers<N extends RequestName> = {
  readonly [One in N]?: (
    request: Requests[One]['request'],
    turn: Turn<One>,
  ) => Promise<Requests[One]['result']> | Requests[One]['result'];
};

/** A model as it was read from its folder, and what is kept of it in memory. */
export interface Model {
  /** Of its files. */
  readonly hash: string;
  readonly tokenizer: Tokenizer;
  /** In tokens. */
  readonly contextLength: number;
  /** Tokens that end a text. */
  readonly endTokens: ReadonlySet<number>;
  /** Encoder-decoders only: the token that the output begins with. */
  readonly startToken?: number;
  /** Folder of the expert being tried, if the model was opened with one. */
  readonly tried?: string;
  /** Whether the folder is unchanged since it was read. */
  isCurrent(): boolean;
  info(): Promise<ModelInfo>;
  /** Composes and loads what the request needs. @throws GanderError if the model cannot do it */
  begin(request: RouteRequest): Promise<Run>;
  /**
   * The same for what each layer would predict after one token.
   *
   * @throws GanderError if the model cannot do it, or its graph does not show what the layers would predict
   */
  beginLens(request: RouteRequest, place: LensPlace): Promise<LensRuns>;
  /** Answers to requests that not every model can answer; answers.ts has the others. */
  readonly answers?: Answers<RequestName>;
  release(): Promise<void>;
}

/** Its steps give for L layers, first to last, what a run's steps give for T tokens; only the step with the token counts. */
export type LensRun = Pick<Run, 'encode' | 'run'>;

export interface LensRuns {
  /** Numbers of the layers, as the model counts them. */
  readonly layers: readonly number[];
  readonly routed: LensRun;
  /** The base without experts; or why there is no such run beside the routed one. */
  readonly without: LensRun | NoneWithout;
}

/** One request, ready to run. */
export interface Run<S extends Step = Step> {
  readonly recording: Recording<S>;
  /** Encoder-decoders only: reads the whole input, before any `run`. Its result is the past of the output's first chunk. */
  encode?(ids: Int32Array): Promise<S>;
  run(chunk: Chunk): Promise<S>;
  /** The same request with one more intervention. */
  with(intervention: Intervention): Run<S>;
}
