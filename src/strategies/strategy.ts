/** What a strategy is: how a pool's experts get their weights. There is one descriptor per file; `all.ts` lists them. */

export interface StrategyOffer {
  readonly name: string;
  readonly title: string;
  readonly hint: string;
  /** The arguments that a request for it needs. */
  readonly takes: readonly ('k' | 'expert')[];
}

/** A requested strategy with its arguments. */
export interface Strategy {
  readonly name: string;
  readonly k?: number;
  /** Id of an expert. */
  readonly expert?: string;
}

/** What a pool may have in addition to its experts' adapters. */
export type PoolPart = 'gates' | 'retriever' | 'activations' | 'multitask' | 'router' | 'xlora';

/** Which vectors score the tokens. */
export type RouterVectors = 'phatgoose' | 'average-activation' | 'arrow' | 'jointly-trained';

/** What a trace's scores are: products with vectors, or the logits of an X-LoRA classifier. */
export type Scores = RouterVectors | 'x-lora';

/** An adapter that replaces all experts: one trained separately, or one computed from all experts' matrices. */
export type WholeAdapter = 'multitask' | 'merged-factors';

export interface StrategyDescriptor {
  readonly name: string;
  /** In English, as lists show it. */
  readonly title: string;
  readonly hint: string;
  /** The argument that a request needs. */
  readonly takes?: 'k' | 'expert';
  /** The engine finds the expert for each text. */
  readonly finds?: 'expert';
  /** The default for k; absent: the pool's own. */
  readonly usualK?: number;
  /** The values of k that the evaluation measures; absent: the usual one. */
  readonly measured?: readonly number[];
  readonly needs: readonly PoolPart[];
  readonly weights: WeightsByScore | FixedWeights | WeightsByClassifier;
}

/** Softmax over the k best scores. */
export interface WeightsByScore {
  readonly by: 'score';
  readonly vectors: RouterVectors;
}

/** The scalings of an X-LoRA classifier, which reads a first pass over the base. */
export interface WeightsByClassifier {
  readonly by: 'classifier';
}

/** The same weight for every token, at every module that an expert adapts. */
export interface FixedWeights {
  readonly by: 'strategy';
  /**
   * @param e an expert of the pool
   * @param chosen the strategy's expert, −1 for none
   * @param members how many experts the pool has
   */
  readonly weight: (e: number, chosen: number, members: number) => number;
  /** An adapter in addition to the experts, added with weight 1. */
  readonly adapter?: WholeAdapter;
}
