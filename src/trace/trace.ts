/**
 * The trace: everything that one run of the routed model reveals, as typed arrays with named axes. Everything that
 * Gander shows is a view of it. Axes: M modules, T tokens, N experts, k chosen, P predictions; arrays are row-major.
 * The file format is docs/trace-format.md.
 */

/** One adapted linear layer. */
export interface Module {
  /** Hugging Face path, e.g. `model.layers.7.self_attn.q_proj`. */
  readonly path: string;
  readonly layer: number;
  readonly kind: string;
}

/** The kinds of a Llama block, in the order of the module axis within a layer. */
export const kinds = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;

export interface Expert {
  readonly id: string;
  readonly name: string;
}

/** How affinities become routing weights, or what stands in for them (design: routing.md, "The other strategies"). */
export type Strategy =
  | { readonly name: 'base' }
  | { readonly name: 'single'; readonly expert: string }
  | { readonly name: 'phatgoose'; readonly k: number }
  /** `expert` is what retrieval picked; absent in a request, present in a trace. */
  | { readonly name: 'retrieval'; readonly expert?: string }
  | { readonly name: 'merged' }
  | { readonly name: 'average-activation'; readonly k: number }
  | { readonly name: 'arrow'; readonly k: number }
  | { readonly name: 'multitask' };

export type StrategyName = Strategy['name'];

/** Where an intervention holds; an absent field means everywhere on that axis. */
export interface Scope {
  readonly layer?: number;
  readonly kind?: string;
  /** Module path. */
  readonly module?: string;
  /** Token index, from 0, special tokens counted. */
  readonly token?: number;
}

/** A what-if. Later interventions win over earlier ones where they meet. */
export type Intervention =
  /** Affinity −∞: never chosen. */
  | { readonly action: 'knock-out'; readonly expert: string; readonly scope: Scope }
  /** Weight 1 for this expert, 0 for all others. */
  | { readonly action: 'force'; readonly expert: string; readonly scope: Scope }
  /** `amount` is added to the affinity before the choice. */
  | { readonly action: 'tilt'; readonly expert: string; readonly amount: number; readonly scope: Scope };

export interface Trace {
  /** The original text, exactly as given. */
  readonly text: string;
  readonly tokens: {
    /** [T] */
    readonly ids: Int32Array;
    /** [T] offsets into `text` in UTF-16 code units; −1 for a special token. */
    readonly start: Int32Array;
    readonly end: Int32Array;
    /** [T] as the vocabulary spells it, readable (`Ġ` already a space). */
    readonly text: readonly string[];
  };
  /** Tokens routed so far: T in a finished trace, fewer in a partial one. Past it arrays hold NaN, or −1 in `chosen`. */
  readonly done: number;
  readonly modules: readonly Module[];
  readonly experts: readonly Expert[];
  /** Width of the chosen axis. */
  readonly k: number;
  /** Width of the prediction axis. */
  readonly predictions: number;
  /** [M, T, N] raw scores a_i before any bias; NaN where an expert has no gate at a module. Absent: the source gave none. */
  readonly affinity?: Float32Array;
  /** [M, T, k] expert index, best first; −1: none. */
  readonly chosen: Int16Array;
  /** [M, T, k] routing weight; 0 where none. */
  readonly weight: Float32Array;
  /** [M, T, k] ‖w s B A u‖ ÷ ‖W u‖; 0 where none. Absent: the source gave none. */
  readonly contribution?: Float32Array;
  /** [T] natural log-probability of the token given those before it; NaN for the first. */
  readonly logProb?: Float32Array;
  /** [T, P] the likeliest tokens after token t, best first. */
  readonly topIds?: Int32Array;
  readonly topLogProb?: Float32Array;
  /** [T, P] their texts. */
  readonly topTokens?: readonly string[];
  readonly strategy: Strategy;
  readonly interventions: readonly Intervention[];
  readonly pool: { readonly id: string; readonly name: string; readonly hash: string };
  readonly tokenizer: { readonly hash: string };
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
}
