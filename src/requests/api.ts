import type { Options } from '../channel/messages.js';
import type { Measure, Planes } from '../similarity/planes.js';
import type { SourceDescription, Warning } from './description.js';
import type { Strategy } from '../strategies/strategy.js';
import type { AttributedExperts } from '../trace/figures/attributed.js';
import type { Layer } from '../trace/model/access.js';
import type { Expert, ExpertSet, Intervention, Router, Site, Trace } from '../trace/model/trace.js';

/** What is known of one expert without running anything. */
export interface ExpertInfo extends Expert {
  readonly description?: string;
  readonly license?: string;
  readonly datasets?: readonly string[];
  readonly rank: number;
  /** Bytes on disk. */
  readonly bytes: number;
  /** Absolute folder. */
  readonly folder: string;
  /** Absolute path of the model card. */
  readonly card?: string;
}

/** What is known of any model on this machine without running it. */
interface AnyModelInfo {
  readonly name: string;
  readonly folder: string;
  readonly hash: string;
  readonly expertSets: readonly ExpertSet[];
  readonly sites: readonly Site[];
  /** In tokens. */
  readonly contextLength: number;
  /** An encoder-decoder: a request may give a target, and what is predicted is the output. */
  readonly hasTarget?: boolean;
  /** What was left out and why, modules that could not be placed. */
  readonly warnings: readonly Warning[];
}

/** A base model with a pool of experts. */
export interface PoolInfo extends AnyModelInfo {
  readonly kind: 'pool';
  readonly id: string;
  readonly description?: string;
  readonly license?: string;
  readonly baseName: string;
  readonly experts: readonly ExpertInfo[];
  readonly topK: number;
  /** Names of those that the pool has the files for. */
  readonly strategies: readonly string[];
}

/** A mixture of experts: each layer has its own, and a router. */
export interface MoeInfo extends AnyModelInfo {
  readonly kind: 'moe';
  readonly router: Router;
  /** The largest k that it can be asked for; absent where no other than its own can. */
  readonly mostK?: number;
}

/** A model that a server runs, as far as the server tells. */
export interface ServerInfo extends SourceDescription {
  readonly kind: 'server';
  readonly engine: 'vllm' | 'sglang' | 'gander-serve';
  readonly address: string;
  readonly versions: Readonly<Record<string, string>>;
}

export type ModelInfo = PoolInfo | MoeInfo | ServerInfo;

/** An expert's folder outside the pool, found to fit its base. */
export interface Candidate {
  /** Names of its files that a pool reads. */
  readonly files: readonly string[];
  /** Bytes of these. */
  readonly bytes: number;
  /** Where its folder would lie, relative to the pool's and inside it. */
  readonly target: string;
}

/** How alike the experts of a pool are. */
export interface Similarity extends Readonly<Record<Measure, Planes>> {
  readonly experts: readonly Expert[];
  readonly layers: readonly Layer[];
}

/** Which experts are asked. */
export interface PoolRequest {
  /**
   * Absolute folder of an expert outside the pool that is taken for one of it, to see what it would do there; nothing is copied.
   * Rejects as `examine` does where the pool could not take it.
   */
  readonly tried?: string;
}

export interface RouteRequest extends PoolRequest {
  readonly text: string;
  /** Of an encoder-decoder: the output. Absent: what it writes itself, the likeliest token each time. */
  readonly target?: string;
  /** How much it then writes at most. */
  readonly maxTokens?: number;
  /** Absent for a model that routes by a router of its own. */
  readonly strategy?: Strategy;
  readonly interventions?: readonly Intervention[];
}

export interface GenerateRequest extends RouteRequest {
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
}

/** Of a pool all experts are knocked out in turn; of a mixture those that are asked for. */
export interface AttributeRequest extends RouteRequest, AttributedExperts {}

/** Each expert knocked out everywhere in turn. */
export interface Attribution {
  readonly experts: readonly Expert[];
  /** [T] of the run with nothing knocked out; of the last sequence, the only one of which anything is predicted. */
  readonly logProb: Float32Array;
  /** [T, N] log-probability with the expert knocked out − with all; negative: the token owes to the expert. NaN for the first token. */
  readonly change: Float32Array;
  /** How many experts there were to knock out, where it was ended before the last; absent: these are all. */
  readonly of?: number;
}

/** What each layer would predict after one token: the final norm and the head on the residual stream there. */
export interface LensRequest extends RouteRequest {
  /** Of the last sequence, the only one of which anything is predicted. */
  readonly token: number;
}

export interface Lens {
  readonly token: number;
  /** Of the last sequence, as it was read: up to the token, and the one after it if there is one. */
  readonly ids: Int32Array;
  /** As the model numbers them, first to last: [L]. */
  readonly layers: readonly number[];
  readonly routed: LensColumn;
  /** With no expert; or why there is no such run beside the routed one. */
  readonly without: LensColumn | NoneWithout;
}

/** The run has no expert itself, or the model has no layers without them. */
export interface NoneWithout {
  readonly none: 'base' | 'mixture';
}

/** Of one run. What the last layer predicts is what the run predicts. */
export interface LensColumn {
  /** [L] natural log-probability of the token that came next; absent where none did. */
  readonly logProb?: Float32Array;
  /** P of each layer's row. */
  readonly predictions: number;
  /** [L, P] the likeliest next tokens, best first, and their natural log-probabilities. */
  readonly topIds: Int32Array;
  readonly topLogProb: Float32Array;
  readonly topTokens: readonly string[];
}

/** Bits per byte needs both: bits = −Σ log₂ p over text tokens, bytes of UTF-8 they cover. */
export interface Score {
  readonly bits: number;
  readonly bytes: number;
  readonly tokens: number;
}

/** How a run is asked for. Of a trace, what is known so far has `done` tokens of each sequence, and later ones may share its arrays. */
export type RunOptions<Part = Trace> = Options<Part>;

/** What it takes to use a server, beside its address. */
export interface ServerAccess {
  /** Sent to the server, and to nobody else. */
  readonly token?: string;
  /** Its model's config.json, where the person has one: experts and layers, which some servers do not tell. */
  readonly config?: Uint8Array;
  /** How long it may be silent over a request; 0: for ever. Milliseconds. Default 2 minutes. */
  readonly patienceMs?: number;
}

export interface EngineOptions {
  /** Absolute folder of the pool or model; of a model it may be its file. Of a server, its address. */
  readonly pool: string;
  /** Where composed graphs are cached; absolute. */
  readonly cache: string;
  /** Intra-op threads; 0: onnxruntime's default. */
  readonly threads: number;
  /** Tokens a chunk. */
  readonly chunk: number;
  /** Of a server: what else there is to know. */
  readonly server?: ServerAccess;
}
