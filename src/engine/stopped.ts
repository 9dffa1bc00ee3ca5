/** A run that was stopped between two chunks, so that the same request goes on where it was. */
import { isDeepStrictEqual } from 'node:util';
import { GanderError } from '../errors/errors.js';
import type { RouteRequest } from '../requests/api.js';
import type { Model } from './families/family.js';
import type { Prepared, Reached } from './prepared.js';
import type { Recorder } from './runtime/recorder.js';

export interface Begun {
  readonly request: RouteRequest;
  readonly prepared: Prepared;
  readonly recorder: Recorder;
  /** Absent before the first chunk. */
  readonly reached: Reached | undefined;
}

/** Keeps one such run at most, as it holds keys and values of all its tokens. */
export class Stopped {
  #kept: Begun | undefined;

  /** What was kept, if it is the same request to the same model. Nothing is kept from here on. */
  take(model: Model, request: RouteRequest): Begun | undefined {
    const kept = this.#kept;
    this.forget();
    return kept?.prepared.model === model && isDeepStrictEqual(kept.request, request) ? kept : undefined;
  }

  /** Keeps a run if this is how it was stopped; after any other error it would only fail again. */
  keep(begun: Begun, error: unknown): void {
    if (begun.reached && error instanceof GanderError && error.code === 'cancelled') this.#kept = begun;
  }

  forget(): void {
    this.#kept = undefined;
  }
}
