/** What a strategy is: how a pool's experts get their weights. One descriptor a file; `all.ts` lists them. */

export interface StrategyOffer {
  readonly name: string;
  readonly title: string;
  readonly hint: string;
  /** What a request for it says besides. */
  readonly takes: readonly ('k' | 'expert')[];
}

/** What a request asks for: an offered strategy with what it takes. */
export interface Strategy {
  readonly name: string;
  readonly k?: number;
  /** Id. */
  readonly expert?: string;
}

/** What a pool may have beside experts and gates. */
export type PoolPart = 'retriever' | 'activations' | 'multitask' | 'router';

/** Which vectors score the tokens. */
export type RouterVectors = 'phatgoose' | 'average-activation' | 'arrow' | 'learned';

/** What stands for the whole pool: an adapter of its own, or one that is made of all experts' matrices. */
export type WholeAdapter = 'multitask' | 'merged-factors';

export interface StrategyDescriptor {
  readonly name: string;
  /** In English, as lists show it. */
  readonly title: string;
  readonly hint: string;
  /** What a request says beside the name. */
  readonly takes?: 'k' | 'expert';
  /** The expert is found by the engine, for each text. */
  readonly finds?: 'expert';
  /** Where nobody says k; absent: the pool's own. */
  readonly usualK?: number;
  /** The values of k that the evaluation measures; absent: the usual one. */
  readonly measured?: readonly number[];
  readonly needs: readonly PoolPart[];
  readonly weights: WeightsByScore | FixedWeights;
}

/** Softmax over the k best scores. */
export interface WeightsByScore {
  readonly by: 'score';
  readonly vectors: RouterVectors;
}

/** The same for every token, wherever an expert adapts a site. */
export interface FixedWeights {
  readonly by: 'strategy';
  /**
   * @param e an expert of the pool
   * @param chosen the strategy's expert, −1 for none
   * @param members how many experts the pool has
   */
  readonly weight: (e: number, chosen: number, members: number) => number;
  /** An adapter beside the experts that is added with weight 1. */
  readonly adapter?: WholeAdapter;
}
