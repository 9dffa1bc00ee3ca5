/**
 * The trace: everything that one run of a routed model reveals, as typed arrays with named axes. Everything that Gander
 * shows is a view of it. Axes of a block: S modules, T tokens, N experts, k chosen, A shared experts; of a sequence: T tokens,
 * P predictions. Arrays are row-major. What a source does not provide is absent, never invented. The columns are listed in
 * columns.ts, the file format is described in docs/trace-format.md.
 */

export interface Expert {
  readonly id: string;
  readonly name: string;
}

/** What an expert's index means. */
export interface ExpertSet {
  /**
   * `pool`: the same experts at every module (a pool of adapters), so shares may be added up over layers. `layer`: the experts
   * of one layer (a mixture of experts), unrelated to the experts with the same index in other layers.
   */
  readonly scope: 'pool' | 'layer';
  readonly experts: readonly Expert[];
  /** Shared experts, which every token goes to. They are never counted as choices. */
  readonly sharedExperts?: readonly Expert[];
}

/** A routed module: an adapted linear layer of a pool, or the router of a mixture's layer. */
export interface RoutedModule {
  /** Hugging Face path, e.g. `model.layers.7.self_attn.q_proj` or `model.layers.7.mlp.gate`. */
  readonly path: string;
  readonly layer: number;
  /** In an encoder-decoder, where both stacks count their layers from 0. */
  readonly stack?: Stack;
  /** A word: `q`, `down`, `router`, … */
  readonly kind: string;
  /** Index of the sequence whose tokens pass through it. */
  readonly sequence: number;
  /** Index of its experts' set. */
  readonly expertSet: number;
}

export type Stack = 'encoder' | 'decoder';

/** Neighbouring modules with the same sequence and the same number of experts and choices, whose arrays are stored as one. */
export interface Block extends BlockColumns {
  /** Modules [from, to). */
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
  /** N, k, A: the widths of the axes. */
  readonly experts: number;
  readonly k: number;
  readonly sharedExperts: number;
}

export interface BlockColumns {
  /** [S, T, k] expert index, best first; −1: none, or unknown (see `weight`). */
  readonly chosen: Int16Array;
  /** [S, T, N] the router's raw output (affinity, or router logit); NaN if an expert has no gate at a module. */
  readonly score?: Float32Array;
  /** [S, T, N] the scores that were compared, after a bias or a group limit, if they differ from `score`; −∞ if excluded. */
  readonly selection?: Float32Array;
  /**
   * [S, T, k] the factor on the chosen expert's output. If none was chosen: 0 if the source says so, NaN if it says nothing
   * about this token here.
   */
  readonly weight?: Float32Array;
  /** [S, T, k] ‖w s B A u‖ ÷ ‖W u‖; 0 if none was chosen. */
  readonly contribution?: Float32Array;
  /** [S, T, A] the factors on the shared experts' outputs. */
  readonly sharedWeight?: Float32Array;
}

/** The tokens that a model reads or writes. */
export interface Sequence extends SequenceColumns {
  /** `text` for a causal model; `input` for an encoder and `output` for its decoder. */
  readonly role: 'text' | 'input' | 'output';
  /** The original text, exactly as given. */
  readonly text?: string;
  readonly tokens: Tokens;
  /** Tokens routed so far: T when finished, fewer in a partial trace. After these, arrays hold the value that means "unknown". */
  readonly done: number;
  /** P, width of the prediction axis; 0 without predictions. */
  readonly predictions: number;
}

export interface Tokens {
  /** T */
  readonly count: number;
  /** [T] */
  readonly ids?: Int32Array;
  /** [T] offsets into the text in UTF-16 code units; −1 for a token without text. */
  readonly start?: Int32Array;
  readonly end?: Int32Array;
  /** [T] as the vocabulary spells it, but readable: `Ġ` is a space. */
  readonly text?: readonly string[];
  /** [T] 1 for a token that is not part of the text: begin, end, padding. Statistics skip these. Absent: none is known to be special. */
  readonly special?: Uint8Array;
}

export interface SequenceColumns {
  /** [T] natural log-probability of the token given those before it; NaN for the first of a text. */
  readonly logProb?: Float32Array;
  /** [T, P] the likeliest tokens after token t, best first; −1 if unknown. */
  readonly topIds?: Int32Array;
  readonly topLogProb?: Float32Array;
  /** [T, P] their texts. */
  readonly topTokens?: readonly string[];
}

/** How experts were chosen. */
export interface Router {
  /** Free text: a pool's strategy, a family of models (`mixtral`, `deepseek-v3`), or `unknown`. */
  readonly name: string;
  /** How many of the best scores were chosen; absent if fixed weights replace a router. */
  readonly k?: number;
  /** How scores become a distribution over all experts; absent if unknown, and then no distribution is shown. */
  readonly scoring?: 'softmax' | 'sigmoid';
  /** Anything else, e.g. the `expert` of `single`. */
  readonly params?: Readonly<Record<string, string | number | boolean>>;
}

/** Where a trace comes from. One object per run: all partial traces of the run share it, and no other trace does. */
export interface Source {
  /** Free text: `pool`, `moe`, `vllm`, `sglang`, `server`, `file`, … */
  readonly kind: string;
  readonly name: string;
  readonly id?: string;
  readonly hash?: string;
  /** Hash of the tokenizer: equal hashes mean equal ids. */
  readonly tokenizer?: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Where an intervention applies; an absent field means everywhere on that axis. */
export interface Scope {
  readonly stack?: Stack;
  readonly layer?: number;
  readonly kind?: string;
  /** Module path. */
  readonly module?: string;
  /** The sequence that `token` and `tokens` refer to; absent: the first. */
  readonly sequence?: number;
  /** Token index, from 0, counting special tokens. */
  readonly token?: number;
  /** Ranges of tokens, counted as `token` is. */
  readonly tokens?: readonly TokenRange[];
}

/** From the first token up to, but not including, `to`. */
export type TokenRange = readonly [from: number, to: number];

/** A what-if. Where several apply, later ones win over earlier ones. */
export type Intervention =
  /** Knock-out: selection score −∞, so the expert is never chosen. */
  | { readonly action: 'knock-out'; readonly expert: string; readonly scope: Scope }
  /** Force: weight 1 for this expert, 0 for all others. */
  | { readonly action: 'force'; readonly expert: string; readonly scope: Scope }
  /** Logit bias: `amount` is added to the score before the choice. */
  | { readonly action: 'logit-bias'; readonly expert: string; readonly amount: number; readonly scope: Scope };

export interface Trace {
  readonly source: Source;
  readonly router: Router;
  readonly interventions: readonly Intervention[];
  /** At least one. */
  readonly sequences: readonly Sequence[];
  readonly expertSets: readonly ExpertSet[];
  /** Ordered by stack, layer, and kind in the order of computation. */
  readonly modules: readonly RoutedModule[];
  /** In the order of the modules; each module is in exactly one. */
  readonly blocks: readonly Block[];
  /** ISO 8601. */
  readonly created: string;
}
