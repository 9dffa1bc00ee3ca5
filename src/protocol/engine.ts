/** What crosses the channel between the host and the engine's child process. Errors cross as data. */
import type {
  AttributeRequest,
  Attribution,
  Candidate,
  EngineOptions,
  GenerateRequest,
  Lens,
  LensRequest,
  ModelInfo,
  PoolRequest,
  RouteRequest,
  Score,
  Similarity,
} from '../requests/api.js';
import type { TraceHead, TracePiece } from '../transport/pieces.js';
import type { Trace } from '../trace/model/trace.js';
import type { ErrorData } from '../errors/errors.js';

/** Each method's request and result. */
export interface Methods {
  info: { request: undefined; result: ModelInfo };
  route: { request: RouteRequest; result: Trace };
  generate: { request: GenerateRequest; result: Trace };
  attribute: { request: AttributeRequest; result: Attribution };
  score: { request: RouteRequest; result: Score };
  similarity: { request: PoolRequest; result: Similarity };
  lens: { request: LensRequest; result: Lens };
  /** An absolute folder. */
  examine: { request: string; result: Candidate };
}

export type MethodName = keyof Methods;

export type HostMessage =
  /** First message to a child, once. `memory`: bytes it may hold; what the pool's size allows, if not told. */
  | { readonly type: 'start'; readonly options: EngineOptions; readonly memory?: number | undefined }
  | {
      [N in MethodName]: {
        readonly type: 'call';
        readonly id: number;
        readonly method: N;
        readonly request: Methods[N]['request'];
        readonly partial: boolean;
      };
    }[MethodName]
  /** Takes effect between chunks; the call is then answered with `cancelled`. */
  | { readonly type: 'cancel'; readonly id: number };

export type ChildMessage =
  | { readonly type: 'ready' }
  /** From here to its next message it may be silent for longer than it may otherwise, by so many milliseconds. */
  | { readonly type: 'loading'; readonly mayTake: number }
  | { readonly type: 'progress'; readonly id: number; readonly done: number; readonly total: number }
  /** Of the trace that the call gives; each piece is sent once, before the `partial` or `trace` that tells of it. */
  | { readonly type: 'piece'; readonly id: number; readonly piece: TracePiece }
  | { readonly type: 'partial'; readonly id: number; readonly head: TraceHead }
  /** Of the attribution that the call gives, one expert's. */
  | { readonly type: 'attributed'; readonly id: number; readonly part: Attribution }
  /** The result of a call that gives a trace. */
  | { readonly type: 'trace'; readonly id: number; readonly head: TraceHead }
  | { readonly type: 'result'; readonly id: number; readonly result: Exclude<Methods[MethodName]['result'], Trace> }
  | { readonly type: 'error'; readonly id: number; readonly error: ErrorData };

/** What a child writes, as JSON, to the file descriptor `lastWordsAt` before it ends itself: it may be in native code then. */
export interface LastWords {
  readonly type: 'memory';
  readonly allowed: number;
}

/** After standard input, output, error and the channel. */
export const lastWordsAt = 4;
