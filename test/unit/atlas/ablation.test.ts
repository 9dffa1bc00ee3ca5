/** What an atlas says of experts that are knocked out: a model is planted in which one expert matters. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ablateInto } from '../../../src/atlas/files/ablate.js';
import type { CorpusDocument } from '../../../src/atlas/files/corpus.js';
import { Journal } from '../../../src/atlas/files/journal.js';
import { readInto } from '../../../src/atlas/files/make.js';
import { placesOf } from '../../../src/atlas/ablation.js';
import { placedIn, unitsNamed } from '../../../src/atlas/layout.js';
import { ablations } from '../../../src/atlas/tables/ablations.js';
import { tablesOf } from '../../../src/atlas/tables/index.js';
import { random } from '../../../src/statistics/random.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { fabricate } from '../trace/fabricate.js';
import { drawn, traceOf } from './planted.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-ablation-'));
afterAll(() => rmSync(folder, { recursive: true }));

const [matters, idle] = ['0.5', '0.2'];
const next = random(4);
const traces = new Map(
  Array.from({ length: 30 }, (_, d): [string, Trace] => {
    const ids = Array.from({ length: 40 }, () => Math.floor(next() * 30));
    return [
      `d${d}`,
      traceOf(
        8,
        [0, 1].map(() => ids.map(() => drawn([1, 1, 2, 1, 1, 2, 1, 1], next))),
        ids,
      ),
    ];
  }),
);

async function* documents(): AsyncGenerator<CorpusDocument> {
  for (const id of traces.keys())
    yield await Promise.resolve<CorpusDocument>({
      kind: 'text',
      id,
      place: id,
      label: null,
      bytes: 1,
      read: () => ({ bytes: Buffer.from(id) }),
    });
}

async function* route(id: string) {
  yield await Promise.resolve({ trace: traces.get(id)!, at: 0 });
}

/** Without the expert that matters, the next token has half a nat less; any knock-out moves all tokens a little. */
function without(trace: Trace, expert: string, token: number): Trace {
  const [sequence] = trace.sequences;
  const logProb = sequence!.logProb!.map(
    (x, t) => x + 0.1 * (next() - 0.5) - (expert === matters && t === token + 1 ? 0.5 : 0),
  );
  return { ...trace, sequences: [{ ...sequence!, logProb }] };
}

const decode = () => {
  throw new Error('no saved traces here');
};

async function journalOf(name: string): Promise<Journal> {
  return readInto({ target: path.join(folder, name), asked: {}, documents: documents(), route, decode, atOnce: 1 });
}

/** Many bootstraps: seconds, or minutes on a busy machine. */
const simulated = { timeout: 300_000, tags: ['slow'] };

describe('ablation', () => {
  it('finds the expert that matters, and that another does not', async () => {
    const journal = await journalOf('planted');
    const { layout } = journal.sums!;
    const units = [matters, idle].flatMap((name) => unitsNamed(layout, name));
    const rerun = (
      trace: Trace,
      { intervention, token }: { intervention: { expert: string; scope: object }; token: number },
    ) => {
      expect(intervention.scope).toEqual({ layer: 0, sequence: 0, token });
      return Promise.resolve(without(trace, intervention.expert, token));
    };
    const ablated = await ablateInto(journal, {
      units,
      documents: documents(),
      route,
      decode,
      rerun,
      onDone: () => {},
    });
    const rows = tablesOf(journal.sums!, ablated).tables.ablations;
    const found = rows.map(({ name, kind, effect, hurts }) => [name, kind, effect, hurts]);
    expect(found).toEqual(
      [idle, matters].flatMap((name) =>
        ['top', 'random'].flatMap((kind) =>
          ['next', 'later'].map((effect) => [name, kind, effect, name === matters && effect === 'next']),
        ),
      ),
    );
    const row = rows.find(({ name, kind, effect }) => name === matters && kind === 'random' && effect === 'next')!;
    expect(row['contexts']).toBe(8);
    expect(Math.abs(Number(row['change']) + 0.5)).toBeLessThan(0.1);
    expect(Math.abs(Number(row['matched']))).toBeLessThan(0.2);
  });

  it('of a model in which no expert matters finds one in no more families than q allows', simulated, async () => {
    const { layout, figures } = (await journalOf('noise')).sums!;
    const places = placesOf([...Array(layout.units).keys()], figures.contexts.kept);
    const change = () => ({ next: next() ** 3 - next(), later: next() - next() });
    const families = 100;
    let falsely = 0;
    for (let f = 0; f < families; f++) {
      const ablated = places.map((place) => ({ ...place, own: change(), matched: change() }));
      const rows = ablations.rows({ layout, ablated } as unknown as Parameters<typeof ablations.rows>[0]);
      if (rows.some(({ hurts }) => hurts === true)) falsely++;
    }
    expect(falsely).toBeLessThanOrEqual(0.05 * families + 2 * Math.sqrt(families * 0.05 * 0.95));
  });

  it('that was stopped goes on where it was', async () => {
    const journal = await journalOf('stopped');
    const units = unitsNamed(journal.sums!.layout, matters);
    let runs = 0;
    const stopped = ablateInto(journal, {
      units,
      documents: documents(),
      route,
      decode,
      rerun: (trace) => (++runs > 9 ? Promise.reject(new Error('stopped')) : Promise.resolve(trace)),
      onDone: () => {},
    });
    await expect(stopped).rejects.toThrow('stopped');
    const again = new Journal(path.join(folder, 'stopped'), '{}');
    const before = again.ablated.length;
    expect(before).toBeGreaterThan(0);
    let later = 0;
    const rerun = (trace: Trace) => Promise.resolve((later++, trace));
    const ablated = await ablateInto(again, { units, documents: documents(), route, decode, rerun, onDone: () => {} });
    expect(later).toBe(2 * (ablated.length - before));
    expect(ablated.length).toBe(16);
  });

  it('knows an expert of a pool by its id, over all layers, and by its layer', () => {
    const { layout } = placedIn(fabricate({ seed: 1, layers: 3, kinds: ['q', 'v'] }));
    const { id } = layout.layers[0]!.experts[1]!;
    expect(unitsNamed(layout, id)).toEqual([layout.starts[3]! + 1]);
    expect(unitsNamed(layout, '2.1')).toEqual([layout.starts[2]! + 1]);
    expect(unitsNamed(layout, '9.1')).toEqual([]);
  });
});
