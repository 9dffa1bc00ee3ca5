/** Corpora from a known process: each document's choices are drawn with weights of its own. */
import { createHash } from 'node:crypto';
import type { AtlasDocument } from '../../../src/atlas/figure.js';
import { placedIn } from '../../../src/atlas/layout.js';
import { Sums } from '../../../src/atlas/sums.js';
import { layerExperts } from '../../../src/trace/model/layerExperts.js';
import type { Trace } from '../../../src/trace/model/trace.js';

export interface Drawn {
  readonly document: AtlasDocument;
  readonly trace: Trace;
}

/** The trace of a mixture of experts with one choice per token and layer. @param chosen [L][T] @param ids [T] */
export function traceOf(experts: number, chosen: readonly (readonly number[])[], ids: readonly number[]): Trace {
  const T = ids.length;
  const text = ids.map((id) => `w${id} `);
  const ends = text.map((_, t) => text.slice(0, t + 1).join('').length);
  return {
    source: { kind: 'moe', name: 'planted', versions: {} },
    router: { name: 'mixtral', k: 1 },
    interventions: [],
    sequences: [
      {
        role: 'text',
        text: text.join(''),
        tokens: {
          count: T,
          ids: Int32Array.from(ids),
          text,
          start: Int32Array.from([0, ...ends.slice(0, -1)]),
          end: Int32Array.from(ends),
        },
        done: T,
        predictions: 0,
        logProb: new Float32Array(T).fill(-1),
      },
    ],
    expertSets: chosen.map((_, layer) => ({ scope: 'layer', experts: layerExperts(layer, experts) })),
    modules: chosen.map((_, layer) => ({ path: `l${layer}`, layer, kind: 'router', sequence: 0, expertSet: layer })),
    blocks: [
      {
        from: 0,
        to: chosen.length,
        sequence: 0,
        experts,
        k: 1,
        sharedExperts: 0,
        chosen: Int16Array.from(chosen.flat()),
        weight: Float32Array.from(chosen.flat(), (e, i) => 0.3 + ((7 * e + i) % 11) / 20),
      },
    ],
    created: '',
  };
}

export function documentOf(id: string, label: string | null): AtlasDocument {
  return { id, label, hash: createHash('sha256').update(id).digest('hex'), place: id };
}

/** The sums of one document. */
export function sumsOf({ document, trace }: Drawn): Sums {
  const placed = placedIn(trace);
  const sums = new Sums(placed.layout);
  for (const _figure of sums.adding({ ...placed, document, trace, before: [{ tokens: 0, text: 0 }] }));
  sums.close(document);
  return sums;
}

export function corpusOf(documents: readonly Drawn[]): Sums {
  const all = new Sums(placedIn(documents[0]!.trace).layout);
  for (const document of documents) all.merge(sumsOf(document));
  return all;
}

/** Draws an index with the given weights. */
export function drawn(weights: readonly number[], next: () => number): number {
  let left = next() * weights.reduce((a, b) => a + b, 0);
  const found = weights.findIndex((weight) => (left -= weight) < 0);
  return found < 0 ? weights.length - 1 : found;
}
