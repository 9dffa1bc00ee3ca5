import type { Strategy } from '../strategies/strategy.js';
import type { SideResult } from './store.js';

/** How a text is to be routed, and the model that it was chosen for. */
export type Chosen = Pick<SideResult, 'strategy' | 'model'>;

/** Strategies that a person chose for texts that were on show: each text keeps its own, and one that has none gets the last. */
export class ChosenStrategies {
  readonly #byText = new Map<string, Chosen>();
  #last: Chosen | undefined;

  choose(uri: string, strategy: Strategy, model: string | undefined): void {
    this.#last = { strategy, model };
    this.#byText.set(uri, this.#last);
  }

  for(uri: string): Chosen | undefined {
    return this.#byText.get(uri) ?? this.#last;
  }

  forget(): void {
    this.#byText.clear();
    this.#last = undefined;
  }
}
