/**
 * The trace: everything that one run of a routed model reveals, as typed arrays with named axes. Everything that Gander
 * shows is a view of it. Axes of a block: S sites, T tokens, N experts, k chosen, A always-on experts; of a sequence: T
 * tokens, P predictions. Arrays are row-major. What a source does not give is absent, never invented. The columns stand in
 * columns.ts, the file format in docs/trace-format.md.
 */

export interface Expert {
  readonly id: string;
  readonly name: string;
}

/** What an expert's index means. */
export interface ExpertSet {
  /**
   * `pool`: the same expert at every site (a pool of adapters), so that shares may be added up over layers. `layer`: the
   * experts of one layer (an ordinary mixture of experts); expert 3 of another layer has nothing to do with this one.
   */
  readonly scope: 'pool' | 'layer';
  readonly experts: readonly Expert[];
  /** Shared experts, which every token goes to. They are never counted as choices. */
  readonly alwaysOn?: readonly Expert[];
}

/** A place where tokens are sent to experts: an adapted linear layer of a pool, or a layer's router. */
export interface Site {
  /** Hugging Face path, e.g. `model.layers.7.self_attn.q_proj` or `model.layers.7.mlp.gate`. */
  readonly path: string;
  readonly layer: number;
  /** In encoder-decoders, whose layers are counted apart. */
  readonly stack?: Stack;
  /** A word: `q`, `down`, `router`, … */
  readonly kind: string;
  /** Index of the sequence whose tokens go through it. */
  readonly sequence: number;
  /** Index of the set that its experts are of. */
  readonly expertSet: number;
}

export type Stack = 'encoder' | 'decoder';

/** Neighbouring sites over the same sequence, with as many experts and as many chosen: their arrays are one. */
export interface Block extends BlockColumns {
  /** Sites [from, to). */
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
  /** N, k, A: widths of the axes. */
  readonly experts: number;
  readonly k: number;
  readonly alwaysOn: number;
}

export interface BlockColumns {
  /** [S, T, k] expert index, best first; −1: none, or not known (see `weight`). */
  readonly chosen: Int16Array;
  /** [S, T, N] the router's raw output; NaN where an expert has no gate at a site. */
  readonly score?: Float32Array;
  /** [S, T, N] what was compared, after a bias or a group limit, where that is not the score; −∞ where excluded. */
  readonly selection?: Float32Array;
  /**
   * [S, T, k] what the chosen expert's output was multiplied by. Where none was chosen: 0 if the source says that none was,
   * NaN if it says nothing of this token here.
   */
  readonly weight?: Float32Array;
  /** [S, T, k] ‖w s B A u‖ ÷ ‖W u‖; 0 where none. */
  readonly contribution?: Float32Array;
  /** [S, T, A] what the always-on experts' outputs were multiplied by. */
  readonly alwaysOnWeight?: Float32Array;
}

/** The tokens that a model reads, or writes. */
export interface Sequence extends SequenceColumns {
  /** `text` of a causal model; `input` of an encoder and `output` of its decoder. */
  readonly role: 'text' | 'input' | 'output';
  /** The original text, exactly as given. */
  readonly text?: string;
  readonly tokens: Tokens;
  /** Tokens routed so far: T when finished, fewer in a partial trace. Past it arrays hold what means "not known". */
  readonly done: number;
  /** P, width of the prediction axis; 0 without predictions. */
  readonly predictions: number;
}

export interface Tokens {
  /** T */
  readonly count: number;
  /** [T] */
  readonly ids?: Int32Array;
  /** [T] offsets into the text in UTF-16 code units; −1 where a token stands for no text. */
  readonly start?: Int32Array;
  readonly end?: Int32Array;
  /** [T] as the vocabulary spells it, readable (`Ġ` already a space). */
  readonly text?: readonly string[];
  /** [T] 1 for a token that is not part of the text: begin, end, padding. Statistics leave these out. Absent: none is known to be one. */
  readonly special?: Uint8Array;
}

export interface SequenceColumns {
  /** [T] natural log-probability of the token given those before it; NaN for the first of a text. */
  readonly logProb?: Float32Array;
  /** [T, P] the likeliest tokens after token t, best first; −1 where not known. */
  readonly topIds?: Int32Array;
  readonly topLogProb?: Float32Array;
  /** [T, P] their texts. */
  readonly topTokens?: readonly string[];
}

/** How the choice was made. */
export interface Router {
  /** Open: a strategy of a pool, a family of models (`mixtral`, `deepseek-v3`), or `unknown`. */
  readonly name: string;
  /** How many the best scores chose; absent where fixed weights stand in for a router. */
  readonly k?: number;
  /** How scores become a distribution over all experts; absent: not known, and then none is shown. */
  readonly scoring?: 'softmax' | 'sigmoid';
  /** What else there is to say, e.g. the expert of `single`. */
  readonly params?: Readonly<Record<string, string | number | boolean>>;
}

/** Where a trace comes from. One object a run: its partial traces share it, and no other trace does. */
export interface Source {
  /** Open: `pool`, `moe`, `vllm`, `sglang`, `server`, `file`, … */
  readonly kind: string;
  readonly name: string;
  readonly id?: string;
  readonly hash?: string;
  /** Hash of the tokenizer: the same ids mean the same tokens. */
  readonly tokenizer?: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Where an intervention holds; an absent field means everywhere on that axis. */
export interface Scope {
  readonly stack?: Stack;
  readonly layer?: number;
  readonly kind?: string;
  /** Site path. */
  readonly module?: string;
  /** Which sequence `token` and `tokens` count in; absent: the first. */
  readonly sequence?: number;
  /** Token index, from 0, special tokens counted. */
  readonly token?: number;
  /** Some tokens, counted as `token` is: it holds for those that are in any of the ranges. */
  readonly tokens?: readonly TokenRange[];
}

/** From the first token to past the last. */
export type TokenRange = readonly [from: number, to: number];

/** A what-if. Later interventions win over earlier ones where they meet. */
export type Intervention =
  /** Selection score −∞: never chosen. */
  | { readonly action: 'knock-out'; readonly expert: string; readonly scope: Scope }
  /** Weight 1 for this expert, 0 for all others. */
  | { readonly action: 'force'; readonly expert: string; readonly scope: Scope }
  /** `amount` is added to the score before the choice. */
  | { readonly action: 'tilt'; readonly expert: string; readonly amount: number; readonly scope: Scope };

export interface Trace {
  readonly source: Source;
  readonly router: Router;
  readonly interventions: readonly Intervention[];
  /** At least one. */
  readonly sequences: readonly Sequence[];
  readonly expertSets: readonly ExpertSet[];
  /** By stack, layer, and kind in the order in which the model computes them. */
  readonly sites: readonly Site[];
  /** In the order of the sites; each site is in one. */
  readonly blocks: readonly Block[];
  /** ISO 8601. */
  readonly created: string;
}
