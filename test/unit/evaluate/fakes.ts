import type { PoolInfo } from '../../../src/requests/api.js';
import {
  answerOf,
  Askable,
  type Engine,
  type Handlers,
  type OptionsOf,
  type RequestOf,
  type ResultOf,
} from '../../../src/requests/ask.js';
import type { RequestName } from '../../../src/requests/table.js';
import type { Document, Part } from '../../../evaluate/documents.js';
import { keyOf } from '../../../evaluate/strategies.js';
import { GanderError } from '../../../src/errors/errors.js';
import type { Trace } from '../../../src/trace/model/trace.js';

const expert = (id: string) => ({ id, name: id, rank: 4, bytes: 1, folder: `/pool/experts/${id}` });

export const pool: PoolInfo = {
  kind: 'pool',
  expertSets: [{ scope: 'pool', experts: ['a', 'b', 'c'].map((id) => ({ id, name: id })) }],
  id: 'fake',
  name: 'Fake pool',
  folder: '/pool',
  hash: 'abcdef0123456789abcdef',
  baseName: 'Fake base',
  baseHash: 'b'.repeat(64),
  contextLength: 512,
  topK: 2,
  experts: ['a', 'b', 'c'].map(expert),
  modules: [
    { path: 'layers.0.q', layer: 0, kind: 'q', sequence: 0, expertSet: 0 },
    { path: 'layers.1.up', layer: 1, kind: 'up', sequence: 0, expertSet: 0 },
  ],
  strategies: ['base', 'single', 'phatgoose', 'merged', 'merged-factors', 'arrow', 'average-activation'],
  warnings: [],
};

export function doc(kind: string, text: string, part: Part = 'heldout', path = `${text}.txt`): Document {
  return { part, kind, package: 'npm:x@1', path, text, hash: `hash of ${text}` };
}

/** One token per character, k = 1; `choose` returns the expert of each token. Score 4 for the chosen, 0 for the others. */
export function traceOf(text: string, choose: (t: number, module: number) => number): Trace {
  const T = text.length;
  const N = pool.experts.length;
  const S = pool.modules.length;
  const chosen = Int16Array.from({ length: S * T }, (_, i) => choose(i % T, Math.floor(i / T)));
  return {
    source: { kind: 'pool', id: pool.id, name: pool.name, hash: pool.hash, versions: { onnxruntime: '1.0.0' } },
    router: { name: 'phatgoose', k: 1, scoring: 'softmax' },
    interventions: [],
    sequences: [
      {
        role: 'text',
        text,
        tokens: {
          count: T,
          ids: Int32Array.from(text, (c) => c.charCodeAt(0)),
          start: Int32Array.from({ length: T }, (_, t) => t),
          end: Int32Array.from({ length: T }, (_, t) => t + 1),
          text: text.split(''),
        },
        done: T,
        predictions: 0,
      },
    ],
    expertSets: [{ scope: 'pool', experts: pool.experts }],
    modules: pool.modules,
    blocks: [
      {
        from: 0,
        to: S,
        sequence: 0,
        experts: N,
        k: 1,
        sharedExperts: 0,
        chosen,
        weight: new Float32Array(S * T).fill(1),
        score: Float32Array.from({ length: S * T * N }, (_, i) => (chosen[Math.floor(i / N)] === i % N ? 4 : 0)),
      },
    ],
    created: '2026-01-01T00:00:00Z',
  };
}

/** Scores by a function of strategy and text; routes everything to expert a. */
export class FakeEngine extends Askable implements Engine {
  readonly asked: string[] = [];
  readonly #answers: Handlers = {
    info: () => Promise.resolve(pool),
    score: ({ text, strategy }, { signal }) => {
      const key = keyOf(strategy!);
      this.asked.push(`${key} ${text}`);
      if (signal?.aborted) return Promise.reject(new GanderError('cancelled', 'cancelled', 'again'));
      return Promise.resolve({ bits: this.bitsOf(key, text), bytes: 10, tokens: 5 });
    },
    route: ({ text }) => {
      this.asked.push(`trace ${text}`);
      return Promise.resolve(traceOf(text, () => 0));
    },
  };

  constructor(readonly bitsOf: (key: string, text: string) => number = () => 8) {
    super();
  }

  ask<N extends RequestName>(name: N, request: RequestOf<N>, options: OptionsOf<N> = {}): Promise<ResultOf<N>> {
    return answerOf(this.#answers, name, request, options) ?? Promise.reject(new Error('not asked here'));
  }

  dispose(): void {}
}
