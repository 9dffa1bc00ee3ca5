import type { Options } from '../channel/messages.js';
import type { Measure, Planes } from '../similarity/planes.js';
import type { SourceDescription, Warning } from './description.js';
import type { Device, DeviceUse, Tried } from './device.js';
import type { Strategy } from '../strategies/strategy.js';
import type { AttributedExperts } from '../trace/figures/attributed.js';
import type { Layer } from '../trace/model/access.js';
import type { Expert, ExpertSet, Intervention, Router, RoutedModule, Trace } from '../trace/model/trace.js';

/** What is known about one expert without running anything. */
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

/** What is known about any model on this machine without running it. */
interface AnyModelInfo {
  readonly name: string;
  readonly folder: string;
  readonly hash: string;
  readonly expertSets: readonly ExpertSet[];
  readonly modules: readonly RoutedModule[];
  /** In tokens. */
  readonly contextLength: number;
  /** Whether it is an encoder-decoder: a request may give a target, and predictions are those of the output. */
  readonly hasTarget?: boolean;
  /** What was left out and why, and modules that could not be placed. */
  readonly warnings: readonly Warning[];
  /** What computes it; absent in the model's own answer, as the engine knows it. */
  readonly device?: DeviceUse;
}

/** A base model with a pool of experts. */
export interface PoolInfo extends AnyModelInfo {
  readonly kind: 'pool';
  readonly id: string;
  readonly description?: string;
  readonly license?: string;
  readonly baseName: string;
  /** SHA-256 of the base's weights. */
  readonly baseHash: string;
  readonly experts: readonly ExpertInfo[];
  /** Names of the general adapters that are subtracted from all experts. */
  readonly general?: readonly string[];
  readonly topK: number;
  /** Names of the strategies that the pool has the files for. */
  readonly strategies: readonly string[];
}

/** A mixture of experts: each layer has its own experts, and a router. */
export interface MoeInfo extends AnyModelInfo {
  readonly kind: 'moe';
  readonly router: Router;
  /** The largest k that it accepts; absent if it accepts only its own. */
  readonly mostK?: number;
}

/** A model that a server runs, as far as the server describes it. */
export interface ServerInfo extends SourceDescription {
  readonly kind: 'server';
  readonly engine: 'vllm' | 'sglang' | 'gander-serve';
  readonly address: string;
  readonly versions: Readonly<Record<string, string>>;
}

export type ModelInfo = PoolInfo | MoeInfo | ServerInfo;

/** An expert's folder outside the pool, which fits its base. */
export interface Candidate {
  /** Names of its files that a pool reads. */
  readonly files: readonly string[];
  /** Size of these files. */
  readonly bytes: number;
  /** Where its folder would be, relative to the pool's and inside it. */
  readonly target: string;
}

/** How similar the experts of a pool are. */
export interface Similarity extends Readonly<Record<Measure, Planes>> {
  readonly experts: readonly Expert[];
  readonly layers: readonly Layer[];
}

/** Which experts a request is about. */
export interface PoolRequest {
  /**
   * Absolute folder of an expert outside the pool that is tried as one of the pool's, to see what it would do there; nothing is
   * copied. Rejects like `examine` if the pool cannot take it.
   */
  readonly tried?: string;
}

export interface RouteRequest extends PoolRequest {
  readonly text: string;
  /** Encoder-decoders only: the output. If absent, the model generates it, the likeliest token each time. */
  readonly target?: string;
  /** The most tokens that it then generates. */
  readonly maxTokens?: number;
  /** Absent for a model that has routers of its own. */
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

/** In a pool all experts are knocked out in turn; in a mixture those that are asked for. */
export interface AttributeRequest extends RouteRequest, AttributedExperts {}

/** Each expert knocked out everywhere in turn. */
export interface Attribution {
  readonly experts: readonly Expert[];
  /** [T] of the run with nothing knocked out, for the last sequence, the only one with predictions. */
  readonly logProb: Float32Array;
  /** [T, N] log-probability with the expert knocked out − with all; negative: the expert made the token likelier. NaN for the first. */
  readonly change: Float32Array;
  /** How many experts were to be knocked out, if it was ended before the last; absent: these are all. */
  readonly of?: number;
}

/** What each layer would predict after one token: the final norm and the head, applied to the residual stream there. */
export interface LensRequest extends RouteRequest {
  /** A token of the last sequence, the only one with predictions. */
  readonly token: number;
}

export interface Lens {
  readonly token: number;
  /** Ids of the last sequence as it was read: up to the token, and the one after it if there is one. */
  readonly ids: Int32Array;
  /** [L] numbers of the layers, as the model counts them, first to last. */
  readonly layers: readonly number[];
  readonly routed: LensColumn;
  /** The run without experts; or why there is no such run beside the routed one. */
  readonly without: LensColumn | NoneWithout;
}

/** The run itself has no experts, or the model's layers do not work without them. */
export interface NoneWithout {
  readonly none: 'base' | 'mixture';
}

/** Predictions of one run by layer. What the last layer predicts is what the run predicts. */
export interface LensColumn {
  /** [L] natural log-probability of the token that came next; absent if none did. */
  readonly logProb?: Float32Array;
  /** P: how many each layer has. */
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

/** How a run is asked for. A partial trace has `done` tokens of each sequence, and later ones may share its arrays. */
export type RunOptions<Part = Trace> = Options<Part>;

/** What it takes to use a server, besides its address. */
export interface ServerAccess {
  /** Sent to the server, and to nobody else. */
  readonly token?: string;
  /** Its model's config.json, if the person has it: experts and layers, which some servers do not report. */
  readonly config?: Uint8Array;
  /** How long it may be silent over a request; 0: forever. Milliseconds. Default 2 minutes. */
  readonly patienceMs?: number;
}

export interface EngineOptions {
  /** Absolute folder of the pool or model; for a model it may also be its file, for a server it is the address. */
  readonly pool: string;
  /** Where composed graphs are cached; absolute. */
  readonly cache: string;
  /** Intra-op threads; 0: onnxruntime's default. */
  readonly threads: number;
  /** Tokens per chunk. */
  readonly chunk: number;
  /** Where it is computed; default `auto`. */
  readonly device?: Device | undefined;
  /** Try the card that `device` names, whatever an earlier try found. */
  readonly tryAgain?: boolean | undefined;
  /** A card that failed in a way that its process did not survive, and why: it is not used. */
  readonly lost?: Tried | undefined;
  /** Only for a server: what else it takes to use it. */
  readonly server?: ServerAccess;
}
