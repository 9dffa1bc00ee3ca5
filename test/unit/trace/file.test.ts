import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GanderError } from '../../../src/errors/errors.js';
import { encodeSafetensors, parseHeader } from '../../../src/formats/safetensors.js';
import { sharedModules } from '../../../src/trace/model/access.js';
import { checkTraceSize, decodeTrace, encodeTrace } from '../../../src/trace/file/file.js';
import { finished } from '../../../src/trace/model/finished.js';
import type { Router, Trace } from '../../../src/trace/model/trace.js';
import { blockOf, fabricate, fabricateIds, textOf, withBlock } from './fabricate.js';

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof GanderError) return thrown.code;
    throw thrown;
  }
  return 'nothing thrown';
}

type Header = Record<string, unknown>;
const sequence = (header: Header) => (header['sequences'] as { [key: string]: unknown; count: number }[])[0]!;
const set = (header: Header) => (header['expertSets'] as Record<string, unknown>[])[0]!;

const headerOf = (bytes: Uint8Array) =>
  JSON.parse(parseHeader(bytes, bytes.length).metadata.get('gander-trace')!) as Header;

/** A file with a changed header and the same tensors. */
function changed(bytes: Uint8Array, change: (header: Header) => void): Uint8Array {
  const { tensors } = parseHeader(bytes, bytes.length);
  const header = headerOf(bytes);
  change(header);
  const inputs = [...tensors.values()].map((t) => ({ ...t, data: bytes.slice(t.begin, t.end) }));
  return encodeSafetensors(inputs, { 'gander-trace': JSON.stringify(header) });
}

const withHeader = (trace: Trace, change: (header: Header) => void) => changed(encodeTrace(trace), change);

describe('a trace file', () => {
  it('is read back exactly, for any trace', () => {
    const recipe = fc.record({
      seed: fc.integer(),
      layers: fc.integer({ min: 0, max: 3 }),
      experts: fc.integer({ min: 1, max: 6 }),
      k: fc.integer({ min: 1, max: 4 }),
      predictions: fc.integer({ min: 0, max: 4 }),
      // Including lone surrogates, NUL and emoji.
      tokens: fc.array(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }).map((s) => s.replace('\u0001', '\ud800')),
      ),
      bare: fc.boolean(),
    });
    fc.assert(
      fc.property(recipe, (given) => {
        const trace = fabricate({ ...given, k: Math.min(given.k, given.experts) });
        expect(decodeTrace(encodeTrace(trace))).toStrictEqual(trace);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps any router, every intervention and a lone surrogate', () => {
    const scope = { stack: 'decoder', layer: 1, kind: 'q', module: 'model.layers.1.q', sequence: 0, token: 3 } as const;
    const routers: Router[] = [
      { name: 'unknown' },
      { name: 'single', scoring: 'softmax', params: { expert: 'expert-1' } },
      { name: 'deepseek-v3', k: 8, scoring: 'sigmoid', params: { scale: 2.5, renormalised: true } },
    ];
    for (const router of routers) {
      const trace = fabricate({
        router,
        tokens: ['\ud83d', '\ude00 ', 'é'],
        interventions: [
          { action: 'knock-out', expert: 'expert-0', scope: {} },
          { action: 'force', expert: 'expert-1', scope },
          { action: 'logit-bias', expert: 'expert-2', amount: -0.5, scope: { token: 0 } },
        ],
      });
      expect(decodeTrace(encodeTrace(trace))).toStrictEqual(trace);
    }
  });

  it('writes a logit bias as the format calls it, and reads strategies by their former names', () => {
    const trace = fabricate({
      router: { name: 'learned', k: 2 },
      interventions: [{ action: 'logit-bias', expert: 'expert-0', amount: 1, scope: {} }],
    });
    const bytes = encodeTrace(trace);
    expect(headerOf(bytes)).toMatchObject({ interventions: [{ action: 'tilt', amount: 1 }] });
    const read = decodeTrace(bytes);
    expect(read.router.name).toBe('jointly-trained');
    expect(headerOf(encodeTrace(read))).toMatchObject({ router: { name: 'jointly-trained' } });
  });

  it('keeps several sequences, sets and blocks, and leaves the unknown absent', () => {
    const trace = fabricateIds();
    const read = decodeTrace(encodeTrace(trace));
    expect(read).toStrictEqual(trace);
    expect(sharedModules(read)).toBeUndefined();
    expect(sharedModules(read, { stack: 'decoder', layer: 3 })!.experts.length).toBe(256);
  });

  it('is read correctly at an odd offset of a larger buffer', () => {
    const trace = fabricate();
    const bytes = encodeTrace(trace);
    const shifted = new Uint8Array(bytes.length + 9).subarray(3, 3 + bytes.length);
    shifted.set(bytes);
    expect(decodeTrace(shifted)).toStrictEqual(trace);
  });

  it('is a view of its bytes, not a copy, if they are aligned', () => {
    const bytes = encodeTrace(fabricate());
    expect(blockOf(decodeTrace(bytes)).score!.buffer).toBe(bytes.buffer);
  });

  it('holds the done tokens of a partial trace', () => {
    const partial = fabricate({ done: 6 });
    const read = decodeTrace(encodeTrace(partial));
    expect(read).toStrictEqual(finished(partial));
    expect(textOf(read)).toMatchObject({ done: 6, text: textOf(partial).text });
    expect(textOf(read).tokens.ids!.length).toBe(6);
    const N = blockOf(partial).experts;
    const T = textOf(partial).tokens.count;
    // Module 3's rows follow module 2's six.
    expect(blockOf(read).score!.subarray(3 * 6 * N, 4 * 6 * N)).toEqual(
      blockOf(partial).score!.subarray(3 * T * N, (3 * T + 6) * N),
    );
  });

  it('is refused when it is newer, with what to do', () => {
    const bytes = withHeader(fabricate(), (header) => (header['version'] = 3));
    expect(codeOf(() => decodeTrace(bytes))).toBe('trace-newer');
    expect(() => decodeTrace(bytes)).toThrow(/version 3.*up to 2/);
  });

  it.each<[string, (header: Header) => void]>([
    ['another format', (h) => (h['format'] = 'other')],
    ['no sequence', (h) => (h['sequences'] = [])],
    ['a router without a name', (h) => (h['router'] = { k: 2 })],
    ['a token too few', (h) => sequence(h).count--],
    ['a token text too few', (h) => (sequence(h)['tokens'] = (sequence(h)['tokens'] as string[]).slice(1))],
    ['an expert too few', (h) => (set(h)['experts'] = (set(h)['experts'] as object[]).slice(1))],
    ['a site too many', (h) => (h['sites'] as object[]).push((h['sites'] as object[])[0]!)],
    ['a site of no sequence', (h) => ((h['sites'] as { sequence: number }[])[1]!.sequence = 1)],
    ['a site of no experts', (h) => ((h['sites'] as { expertSet: number }[])[1]!.expertSet = 1)],
    ['a hole between blocks', (h) => ((h['blocks'] as { from: number }[])[0]!.from = 1)],
    ['another k', (h) => ((h['blocks'] as { k: number }[])[0]!.k = 3)],
    ['text that its tokens go past', (h) => (sequence(h)['text'] = 'd')],
    ['offsets into no text', (h) => delete sequence(h)['text']],
    ['ragged predictions', (h) => (sequence(h)['topTokens'] = [['a']])],
  ])('is refused with %s', (_, change) => {
    expect(codeOf(() => decodeTrace(withHeader(fabricate(), change)))).toBe('trace-invalid');
  });

  it('is refused when it chooses more experts than there are, even without tokens', () => {
    const none = new Float32Array(0);
    const trace = withBlock(fabricate({ tokens: [] }), {
      k: 1e8,
      chosen: new Int16Array(0),
      weight: none,
      contribution: none,
    });
    expect(codeOf(() => decodeTrace(encodeTrace(trace)))).toBe('trace-invalid');
  });

  it('is refused when a chosen expert does not exist', () => {
    const trace = fabricate();
    blockOf(trace).chosen[5] = 5;
    expect(codeOf(() => decodeTrace(encodeTrace(trace)))).toBe('trace-invalid');
  });

  it('is refused, never misread, when cut or empty', () => {
    const bytes = encodeTrace(fabricate({ layers: 1, tokens: ['a', 'b'] }));
    for (let length = 0; length < bytes.length; length += 7) {
      expect(codeOf(() => decodeTrace(bytes.slice(0, length)))).toBe('trace-invalid');
    }
  });

  it('gives a typed error or a trace for any flipped bytes', () => {
    const bytes = encodeTrace(fabricate({ layers: 1, tokens: ['a', 'b'] }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (flips) => {
          const damaged = bytes.slice();
          for (const [at, value] of flips) damaged[at] = value;
          expect(['nothing thrown', 'trace-invalid', 'trace-newer']).toContain(codeOf(() => decodeTrace(damaged)));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a file of version 1', () => {
  const at = (name: string) => new URL(`../../fixtures/traces/version-1.${name}`, import.meta.url);
  // The input of the version 1 writer; null stands for NaN.
  const given = JSON.parse(readFileSync(at('json'), 'utf8')) as Record<string, (number | null)[]> & {
    text: string;
    spelled: string[];
    topTokens: string[];
    modules: object[];
    experts: object[];
  };
  const trace = decodeTrace(readFileSync(at('safetensors')));
  const values = (array: ArrayLike<number>) => Array.from(array, (x) => (Number.isNaN(x) ? null : x));

  it('opens with every value that was written', () => {
    const { chosen, weight, contribution, score, ...shape } = blockOf(trace);
    expect(shape).toEqual({ from: 0, to: 4, sequence: 0, experts: 3, k: 2, sharedExperts: 0 });
    expect(values(chosen)).toEqual(given['chosen']);
    expect(values(weight!)).toEqual(given['weight']);
    expect(values(contribution!)).toEqual(given['contribution']);
    expect(values(score!)).toEqual(given['affinity']);
    const { tokens, text, logProb, topIds, topLogProb, topTokens, ...rest } = textOf(trace);
    expect(rest).toEqual({ role: 'text', done: 5, predictions: 2 });
    expect(text).toBe(given.text);
    expect(tokens.text).toEqual(given.spelled);
    expect(values(tokens.ids!)).toEqual(given['ids']);
    expect(values(tokens.start!)).toEqual(given['start']);
    expect(values(tokens.end!)).toEqual(given['end']);
    expect(values(logProb!)).toEqual(given['logProb']);
    expect(values(topIds!)).toEqual(given['topIds']);
    expect(values(topLogProb!)).toEqual(given['topLogProb']);
    expect(topTokens).toEqual(given.topTokens);
  });

  it('gets the values that version 1 implied', () => {
    expect([...textOf(trace).tokens.special!]).toEqual([1, 0, 0, 0, 0]);
    expect(trace.source).toEqual({
      kind: 'pool',
      id: 'fabricated',
      name: 'Fabricated',
      hash: 'pool-hash',
      tokenizer: 'tokenizer-hash',
      versions: { gander: '0.1.0' },
    });
    expect(trace.router).toEqual({ name: 'phatgoose', k: 2, scoring: 'softmax' });
    expect(trace.expertSets).toEqual([{ scope: 'pool', experts: given.experts }]);
    expect(trace.modules).toEqual(given.modules.map((module) => ({ ...module, sequence: 0, expertSet: 0 })));
    expect(trace.interventions).toEqual([
      { action: 'knock-out', expert: 'expert-2', scope: { layer: 1 } },
      { action: 'logit-bias', expert: 'expert-1', amount: 0.5, scope: { kind: 'q', token: 2 } },
      { action: 'force', expert: 'expert-0', scope: { module: 'model.layers.0.down' } },
    ]);
    expect(trace.created).toBe('2026-01-01T00:00:00Z');
  });

  it('with a k above the number of experts gets that number as k', () => {
    const bytes = changed(readFileSync(at('safetensors')), (h) => (h['strategy'] = { name: 'phatgoose', k: 1e8 }));
    expect(decodeTrace(bytes).router).toEqual({ name: 'phatgoose', k: 3, scoring: 'softmax' });
  });

  it('is saved again as version 2 without losing anything', () => {
    expect(decodeTrace(encodeTrace(trace))).toStrictEqual(trace);
  });

  it.each<[string, (header: Header) => void]>([
    ['no text', (h) => delete h['text']],
    ['an unknown strategy', (h) => (h['strategy'] = { name: 'magic' })],
    ['a token too few', (h) => (h['tokens'] = (h['tokens'] as string[]).slice(1))],
    ['an expert too few', (h) => (h['experts'] = (h['experts'] as object[]).slice(1))],
    ['a module too many', (h) => (h['modules'] as object[]).push({ path: 'x', layer: 0, kind: 'q' })],
    ['text that its tokens go past', (h) => (h['text'] = 'd')],
    ['ragged predictions', (h) => (h['topTokens'] = [['a']])],
  ])('is refused with %s', (_, change) => {
    expect(codeOf(() => decodeTrace(changed(readFileSync(at('safetensors')), change)))).toBe('trace-invalid');
  });

  it.each<[object, Router]>([
    [{ name: 'base' }, { name: 'base', scoring: 'softmax' }],
    [
      { name: 'single', expert: 'x' },
      { name: 'single', scoring: 'softmax', params: { expert: 'x' } },
    ],
    [{ name: 'retrieval' }, { name: 'retrieval', scoring: 'softmax' }],
    [
      { name: 'arrow', k: 3 },
      { name: 'arrow', k: 3, scoring: 'softmax' },
    ],
    [
      { name: 'average-activation', k: 2 },
      { name: 'average-activation', k: 2, scoring: 'softmax' },
    ],
  ])('reads the strategy %j', (strategy, router) => {
    const bytes = changed(readFileSync(at('safetensors')), (header) => (header['strategy'] = strategy));
    expect(decodeTrace(bytes).router).toEqual(router);
  });
});
describe('a trace file that is too large', () => {
  /** Only the header of a safetensors file, of any length; it need not be JSON. */
  const headed = (bytes: number) => {
    const file = new Uint8Array(8 + bytes).fill(0x20, 8);
    new DataView(file.buffer).setUint32(0, bytes, true);
    return file;
  };
  const why = (act: () => unknown): string => {
    try {
      act();
    } catch (thrown) {
      return (thrown as Error).message;
    }
    return 'nothing thrown';
  };

  const first = readFileSync(new URL('../../fixtures/traces/version-1.safetensors', import.meta.url));
  const many = <T>(count: number, item: T) => new Array<T>(count).fill(item);

  it.each<[RegExp, (header: Header) => void]>([
    [
      /it has 100000 modules, and at most 4096/,
      (h) => (h['sites'] = many(100_000, { path: 'a', layer: 0, kind: 'q' })),
    ],
    [/it has 200000 experts, and at most 1024/, (h) => (set(h)['experts'] = many(200_000, { id: 'a', name: 'a' }))],
    [/it has 100000 tokens, and at most 32768/, (h) => (sequence(h).count = 100_000)],
    [/it has 20000 interventions, and at most 10000/, (h) => (h['interventions'] = many(20_000, {}))],
    [
      /it has 14000014 what-ifs and token ranges, counted for each module, and at most 8388608/,
      (h) => (h['interventions'] = [{ scope: { tokens: many(1_000_000, []) } }]),
    ],
    [
      /it has 101 versions/,
      (h) => ((h['source'] as Header)['versions'] = Object.fromEntries(many(101, '').map((_, i) => [i, '']))),
    ],
  ])('is refused with a reason: %s', (wanted, change) => {
    const bytes = withHeader(fabricate(), change);
    expect(codeOf(() => decodeTrace(bytes))).toBe('trace-invalid');
    expect(why(() => decodeTrace(bytes))).toMatch(wanted);
  });

  it.each<[RegExp, (header: Header) => void]>([
    [
      /it has 100000 modules, and at most 4096/,
      (h) => (h['modules'] = many(100_000, { path: 'a', layer: 0, kind: 'q' })),
    ],
    [/it has 200000 experts, and at most 1024/, (h) => (h['experts'] = many(200_000, { id: 'a', name: 'a' }))],
    [/it has 100000 tokens, and at most 32768/, (h) => (h['tokens'] = many(100_000, 'a'))],
    [/it has 20000 interventions, and at most 10000/, (h) => (h['interventions'] = many(20_000, {}))],
    [/it has 101 versions/, (h) => (h['versions'] = Object.fromEntries(many(101, '').map((_, i) => [i, ''])))],
  ])('is refused with a reason in version 1 too: %s', (wanted, change) => {
    const bytes = changed(first, change);
    expect(codeOf(() => decodeTrace(bytes))).toBe('trace-invalid');
    expect(why(() => decodeTrace(bytes))).toMatch(wanted);
  });

  it('is refused by the length of its header, before this is parsed as JSON', () => {
    expect(why(() => decodeTrace(headed(57e6)))).toMatch(/its header has 57 MB, and at most 8\.4 MB are read/);
  });

  it('is refused by its size', () => {
    expect(why(() => checkTraceSize(1.9e9))).toMatch(/1\.9 GB, and at most 537 MB can be shown/);
    expect(() => checkTraceSize(100e6)).not.toThrow();
  });

  it('is not saved: it could not be opened again', () => {
    const trace = fabricate({
      tokens: new Array<string>(32_769).fill('a'),
      layers: 1,
      kinds: ['q'],
      k: 1,
      predictions: 0,
    });
    expect(codeOf(() => encodeTrace(trace))).toBe('request-invalid');
  });
});

it.each([0, 1, 2, 3, 4, 5, 6, 7])(
  'is read with a header that is not padded, also from a Buffer: %i spaces',
  (spaces) => {
    const trace = fabricate();
    const padded = Buffer.from(encodeTrace(trace));
    const length = padded.readUInt32LE(0);
    const json = padded.toString('utf8', 8, 8 + length).trimEnd() + ' '.repeat(spaces);
    const size = Buffer.alloc(8);
    size.writeUInt32LE(Buffer.byteLength(json));
    const bytes = Buffer.concat([size, Buffer.from(json), padded.subarray(8 + length)]);
    expect(decodeTrace(bytes)).toStrictEqual(trace);
    expect(decodeTrace(new Uint8Array(bytes))).toStrictEqual(trace);
  },
);
