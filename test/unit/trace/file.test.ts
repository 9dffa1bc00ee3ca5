import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GanderError } from '../../../src/shared/errors.js';
import { encodeSafetensors, parseHeader } from '../../../src/shared/safetensors.js';
import { checkTraceSize, decodeTrace, encodeTrace } from '../../../src/trace/file.js';
import { finished } from '../../../src/trace/finished.js';
import type { Trace } from '../../../src/trace/trace.js';
import { fabricate } from './fabricate.js';

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof GanderError) return thrown.code;
    throw thrown;
  }
  return 'nothing thrown';
}

/** The trace's header changed, its tensors kept. */
function withHeader(trace: Trace, change: (header: Record<string, unknown>) => void): Uint8Array {
  const bytes = encodeTrace(trace);
  const { metadata, tensors } = parseHeader(bytes, bytes.length);
  const header = JSON.parse(metadata.get('gander-trace')!) as Record<string, unknown>;
  change(header);
  const inputs = [...tensors.values()].map((t) => ({ ...t, data: bytes.subarray(t.begin, t.end) }));
  return encodeSafetensors(inputs, { 'gander-trace': JSON.stringify(header) });
}

describe('a trace file', () => {
  it('comes back exactly, whatever the trace', () => {
    const recipe = fc.record({
      seed: fc.integer(),
      layers: fc.integer({ min: 0, max: 3 }),
      experts: fc.integer({ min: 1, max: 6 }),
      k: fc.integer({ min: 1, max: 4 }),
      predictions: fc.integer({ min: 0, max: 4 }),
      // Lone surrogates, NUL and emoji included.
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

  it('keeps every strategy, intervention and a lone surrogate', () => {
    const scope = { layer: 1, kind: 'q', module: 'model.layers.1.q', token: 3 };
    for (const strategy of [
      { name: 'base' },
      { name: 'single', expert: 'expert-1' },
      { name: 'retrieval' },
      { name: 'retrieval', expert: 'expert-0' },
      { name: 'merged' },
      { name: 'average-activation', k: 2 },
      { name: 'arrow', k: 3 },
      { name: 'multitask' },
    ] as const) {
      const trace = fabricate({
        strategy,
        tokens: ['\ud83d', '\ude00 ', 'é'],
        interventions: [
          { action: 'knock-out', expert: 'expert-0', scope: {} },
          { action: 'force', expert: 'expert-1', scope },
          { action: 'tilt', expert: 'expert-2', amount: -0.5, scope: { token: 0 } },
        ],
      });
      expect(decodeTrace(encodeTrace(trace))).toStrictEqual(trace);
    }
  });

  it('is read right at an odd place in a larger buffer', () => {
    const trace = fabricate();
    const bytes = encodeTrace(trace);
    const shifted = new Uint8Array(bytes.length + 9).subarray(3, 3 + bytes.length);
    shifted.set(bytes);
    expect(decodeTrace(shifted)).toStrictEqual(trace);
  });

  it('is laid over its bytes, not copied, where they are aligned', () => {
    const bytes = encodeTrace(fabricate());
    expect(decodeTrace(bytes).affinity!.buffer).toBe(bytes.buffer);
  });

  it('holds the done tokens of a partial trace', () => {
    const partial = fabricate({ done: 6 });
    const read = decodeTrace(encodeTrace(partial));
    expect(read).toStrictEqual({ ...finished(partial), done: 6 });
    expect(read.tokens.ids.length).toBe(6);
    expect(read.text).toBe(partial.text);
    const whole = fabricate();
    const N = whole.experts.length;
    const T = whole.tokens.ids.length;
    // Module 3's rows lie right after module 2's six.
    expect(read.affinity!.subarray(3 * 6 * N, 4 * 6 * N)).toEqual(
      partial.affinity!.subarray(3 * T * N, (3 * T + 6) * N),
    );
  });

  it('is refused when it is newer, with what to do', () => {
    const bytes = withHeader(fabricate(), (header) => (header['version'] = 2));
    expect(codeOf(() => decodeTrace(bytes))).toBe('trace-newer');
    expect(() => decodeTrace(bytes)).toThrow(/version 2.*up to 1/);
  });

  it.each<[string, (header: Record<string, unknown>) => void]>([
    ['another format', (h) => (h['format'] = 'other')],
    ['no text', (h) => delete h['text']],
    ['an unknown strategy', (h) => (h['strategy'] = { name: 'magic' })],
    ['a token too few', (h) => (h['tokens'] = (h['tokens'] as string[]).slice(1))],
    ['an expert too few', (h) => (h['experts'] = (h['experts'] as object[]).slice(1))],
    ['a module too many', (h) => (h['modules'] = [...(h['modules'] as object[]), { path: 'x', layer: 0, kind: 'q' }])],
    ['text that its tokens go past', (h) => (h['text'] = 'd')],
    ['ragged predictions', (h) => (h['topTokens'] = [['a']])],
  ])('is refused with %s', (_, change) => {
    expect(codeOf(() => decodeTrace(withHeader(fabricate(), change)))).toBe('trace-invalid');
  });

  it('that was asked for more experts than there are says how many that is', () => {
    const trace = fabricate();
    const read = decodeTrace(withHeader(trace, (h) => (h['strategy'] = { name: 'phatgoose', k: 1e8 })));
    expect(read.strategy).toEqual({ name: 'phatgoose', k: trace.experts.length });
  });

  it('is refused when it chooses more experts than there are, be it of no token', () => {
    const none = new Float32Array(0);
    const trace = { ...fabricate({ tokens: [] }), k: 1e8, chosen: new Int16Array(0), weight: none, contribution: none };
    expect(codeOf(() => decodeTrace(encodeTrace(trace)))).toBe('trace-invalid');
  });

  it('is refused when a chosen expert does not exist', () => {
    const trace = fabricate();
    trace.chosen[5] = 5;
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

describe('a trace file that is too much', () => {
  /** Only the header of a safetensors file, however long; nothing of it need be JSON. */
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

  it.each<[RegExp, (header: Record<string, unknown>) => void]>([
    [
      /it has 100000 modules, and at most 4096 can be shown/,
      (h) => (h['modules'] = new Array<object>(100_000).fill({ path: 'a', layer: 0, kind: 'q' })),
    ],
    [
      /it has 200000 experts, and at most 1024 can be shown/,
      (h) => (h['experts'] = new Array<object>(200_000).fill({ id: 'a', name: 'a' })),
    ],
    [
      /it has 100000 tokens, and at most 32768 can be shown/,
      (h) => (h['tokens'] = new Array<string>(100_000).fill('a')),
    ],
    [/it has 20000 interventions, and at most 10000/, (h) => (h['interventions'] = new Array<object>(20_000).fill({}))],
    [
      /it has 101 versions/,
      (h) => (h['versions'] = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, '']))),
    ],
  ])('is refused in words: %s', (wanted, change) => {
    const bytes = withHeader(fabricate(), change);
    expect(codeOf(() => decodeTrace(bytes))).toBe('trace-invalid');
    expect(why(() => decodeTrace(bytes))).toMatch(wanted);
  });

  it("is refused by its header's length, before that is read as JSON", () => {
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

it.each([0, 1, 2, 3, 4, 5, 6, 7])('is read with a header that is not padded, by a Buffer too: %i spaces', (spaces) => {
  const trace = fabricate();
  const padded = Buffer.from(encodeTrace(trace));
  const length = padded.readUInt32LE(0);
  const json = padded.toString('utf8', 8, 8 + length).trimEnd() + ' '.repeat(spaces);
  const size = Buffer.alloc(8);
  size.writeUInt32LE(Buffer.byteLength(json));
  const bytes = Buffer.concat([size, Buffer.from(json), padded.subarray(8 + length)]);
  expect(decodeTrace(bytes)).toStrictEqual(trace);
  expect(decodeTrace(new Uint8Array(bytes))).toStrictEqual(trace);
});
