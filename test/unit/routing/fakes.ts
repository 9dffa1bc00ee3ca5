import type { Lens, LensRequest, PoolInfo, RouteRequest, RunOptions } from '../../../src/requests/api.js';
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
import { routerOf } from '../../../src/strategies/index.js';
import { GanderError } from '../../../src/errors/errors.js';
import type { Trace } from '../../../src/trace/model/trace.js';

const experts = [
  { id: 'a', name: 'Alpha' },
  { id: 'b', name: 'Beta' },
];

export const pool: PoolInfo = {
  kind: 'pool',
  id: 'fake',
  name: 'Fake',
  folder: '/pool',
  hash: 'h',
  baseName: 'Fake base',
  baseHash: 'b'.repeat(64),
  contextLength: 64,
  topK: 1,
  experts: experts.map((expert) => ({ ...expert, rank: 4, bytes: 1, folder: `/pool/experts/${expert.id}` })),
  expertSets: [{ scope: 'pool', experts }],
  modules: ['q', 'v'].map((kind) => ({ path: `layers.0.${kind}`, layer: 0, kind, sequence: 0, expertSet: 0 })),
  strategies: ['phatgoose', 'base'],
  warnings: [],
};

/** One token per character; experts alternate. */
export function fakeTrace({ text, strategy, interventions = [] }: RouteRequest, done = text.length): Trace {
  const count = text.length;
  const cells = pool.modules.length * count;
  return {
    source: { kind: 'pool', name: pool.name, id: pool.id, hash: pool.hash, tokenizer: 't', versions: {} },
    router: routerOf(strategy!),
    interventions,
    sequences: [
      {
        role: 'text',
        text,
        tokens: {
          count,
          ids: Int32Array.from({ length: count }, (_, t) => text.charCodeAt(t)),
          start: Int32Array.from({ length: count }, (_, t) => t),
          end: Int32Array.from({ length: count }, (_, t) => t + 1),
          text: text.split(''),
        },
        done,
        predictions: 0,
      },
    ],
    expertSets: [{ scope: 'pool', experts: pool.experts }],
    modules: pool.modules,
    blocks: [
      {
        from: 0,
        to: pool.modules.length,
        sequence: 0,
        experts: pool.experts.length,
        k: 1,
        sharedExperts: 0,
        chosen: Int16Array.from({ length: cells }, (_, i) => (i % count < done ? (i % count) % 2 : -1)),
        weight: new Float32Array(cells).fill(1),
      },
    ],
    created: '2026-01-01T00:00:00Z',
  };
}

/** Two layers, and the ids up to the next token. */
export function fakeLens({ text, token }: LensRequest): Lens {
  const column = {
    logProb: Float32Array.of(-2, -1),
    predictions: 1,
    topIds: Int32Array.of(97, 98),
    topLogProb: Float32Array.of(-1, -0.5),
    topTokens: ['a', 'b'],
  };
  const ids = Int32Array.from(text, (letter) => letter.charCodeAt(0)).slice(0, token + 2);
  return { token, ids, layers: [0, 1], routed: column, without: column };
}

/** Answers when told to. */
export class FakeEngine extends Askable implements Engine {
  readonly asked: {
    readonly request: RouteRequest;
    readonly options: RunOptions;
    answer(): void;
    fail(error: unknown): void;
  }[] = [];
  poolCalls = 0;
  poolError: GanderError | undefined;

  readonly #answers: Handlers = {
    info: () => {
      this.poolCalls++;
      return this.poolError ? Promise.reject(this.poolError) : Promise.resolve(pool);
    },
    route: (request, options) => this.#later(request, options, () => fakeTrace(request)),
    generate: (request, options) =>
      this.#later(request, options, () =>
        fakeTrace({ ...request, text: `${request.text}${'!'.repeat(request.maxTokens)}` }),
      ),
    attribute: (request, options) => {
      const tokens = request.text.length;
      return this.#later(request, options, () => ({
        experts: pool.experts,
        logProb: new Float32Array(tokens),
        change: new Float32Array(2 * tokens),
      }));
    },
    lens: (request, options) => this.#later(request, options, () => fakeLens(request)),
  };

  ask<N extends RequestName>(name: N, request: RequestOf<N>, options: OptionsOf<N> = {}): Promise<ResultOf<N>> {
    return answerOf(this.#answers, name, request, options) ?? Promise.reject(new Error('not asked in these tests'));
  }

  dispose(): void {}

  #later<T>(request: RouteRequest, options: object, result: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal } = options as RunOptions;
      this.asked.push({ request, options, answer: () => resolve(result()), fail: reject });
      signal?.addEventListener('abort', () => reject(new GanderError('cancelled', 'cancelled', 'again')));
    });
  }
}

/** Lets what depends on settled promises run. */
export const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
