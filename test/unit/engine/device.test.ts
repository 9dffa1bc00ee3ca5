import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cardsOn, compared, driverOf, keepOutcome, keptOutcome, reasonOf, useOf } from '../../../src/engine/device.js';
import { deviceText, hasFallenBack, type Outcome, type Tried } from '../../../src/requests/device.js';
import type { Trace } from '../../../src/trace/model/trace.js';

const root = mkdtempSync(path.join(tmpdir(), 'gander-device-'));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
const folder = () => path.join(root, String(made++));

const subject = { card: 'webgpu', model: 'm', versions: '1', driver: 'd' } as const;
const agrees: Outcome = { result: 'agrees', speed: 2, tokens: 64, difference: 4e-4 };
const failed: Outcome = { result: 'failed', why: 'no adapter' };

describe('an outcome', () => {
  it('is kept until something that it depends on changes', () => {
    const cache = folder();
    expect(keptOutcome(cache, subject)).toBeUndefined();
    keepOutcome(cache, subject, failed);
    expect(keptOutcome(cache, subject)).toEqual(failed);
    for (const changed of [{ card: 'cuda' }, { model: 'n' }, { versions: '2' }, { driver: 'e' }] as const)
      expect(keptOutcome(cache, { ...subject, ...changed }), JSON.stringify(changed)).toBeUndefined();
  });

  it('takes the place of the one before, also of another driver', () => {
    const cache = folder();
    keepOutcome(cache, subject, failed);
    keepOutcome(cache, { ...subject, driver: 'e' }, agrees);
    expect(keptOutcome(cache, subject)).toBeUndefined();
    expect(keptOutcome(cache, { ...subject, driver: 'e' })).toEqual(agrees);
    expect(readdirSync(path.join(cache, 'devices'))).toHaveLength(1);
  });

  it.each(['', '{', '[]', '{"outcome":{"result":"agrees"}}'])('that is damaged counts as none: %s', (text) => {
    const cache = folder();
    keepOutcome(cache, subject, agrees);
    const file = path.join(cache, 'devices', readdirSync(path.join(cache, 'devices'))[0]!);
    const whole = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, text.startsWith('{"') ? JSON.stringify({ ...whole, ...(JSON.parse(text) as object) }) : text);
    expect(keptOutcome(cache, subject)).toBeUndefined();
  });

  it('that cannot be written is forgotten, silently', () => {
    const file = folder();
    writeFileSync(file, '');
    keepOutcome(file, subject, agrees);
    expect(keptOutcome(file, subject)).toBeUndefined();
  });

  it('of long ago goes once there are too many', () => {
    const cache = folder();
    keepOutcome(cache, subject, agrees);
    const [file] = readdirSync(path.join(cache, 'devices'));
    utimesSync(path.join(cache, 'devices', file!), 0, 0);
    for (let i = 0; i < 100; i++) keepOutcome(cache, { ...subject, model: String(i) }, agrees);
    expect(readdirSync(path.join(cache, 'devices'))).toHaveLength(100);
    expect(keptOutcome(cache, subject)).toBeUndefined();
  });
});

describe('what is used', () => {
  const tried = (card: Tried['card'], outcome: Outcome): Tried => ({ card, outcome });

  it.each([
    ['auto', [], 'cpu'],
    ['auto', [tried('webgpu', agrees)], 'webgpu'],
    ['auto', [tried('webgpu', { ...agrees, speed: 1.19 })], 'cpu'],
    ['auto', [tried('cuda', { ...agrees, speed: 3 }), tried('webgpu', agrees)], 'cuda'],
    ['auto', [tried('cuda', failed), tried('webgpu', agrees)], 'webgpu'],
    ['auto', [tried('cuda', { result: 'differs', why: '' })], 'cpu'],
    ['cpu', [tried('webgpu', agrees)], 'cpu'],
    ['webgpu', [], 'webgpu'],
    ['webgpu', [tried('webgpu', { ...agrees, speed: 0.01 })], 'webgpu'],
    ['webgpu', [tried('webgpu', failed)], 'cpu'],
    ['webgpu', [tried('cuda', failed)], 'webgpu'],
  ] as const)('%s, by what is known: %j → %s', (asked, known, provider) => {
    expect(useOf(asked, known).provider).toBe(provider);
  });

  it('is told in one line', () => {
    expect(deviceText(useOf('cpu', []))).toBe('the processor');
    expect(deviceText(useOf('auto', []))).toBe('the processor; no graphics card was tried with this model');
    expect(deviceText(useOf('webgpu', [tried('webgpu', failed)]))).toBe('the processor; webgpu failed: no adapter');
    expect(deviceText(useOf('webgpu', [tried('webgpu', { ...agrees, speed: 0.012 })]))).toBe(
      'webgpu; webgpu ran 64 tokens at 0.01 × the processor’s speed, with log-probabilities that differ by 4e-4 at most',
    );
    expect(hasFallenBack(useOf('webgpu', [tried('webgpu', failed)]))).toBe(true);
    expect(hasFallenBack(useOf('auto', [tried('webgpu', failed)]))).toBe(false);
  });

  it('is a provider of the platform', () => {
    expect((['linux', 'win32', 'darwin'] as const).map((platform) => cardsOn(platform)[0])).toEqual([
      'cuda',
      'dml',
      'coreml',
    ]);
  });
});

describe('the driver', () => {
  it('is another once a card, its driver or what chooses it changes', () => {
    const system = folder();
    const write = (name: string, text: string) => {
      const file = path.join(system, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    };
    const known = [driverOf('linux', system, {})];
    const next = (env = {}) => {
      const driver = driverOf('linux', system, env);
      expect(known).not.toContain(driver);
      expect(driverOf('linux', system, env)).toBe(driver);
      known.push(driver);
    };
    write('sys/class/drm/card0/device/vendor', '0x10de\n');
    write('sys/class/drm/card0/device/device', '0x2684\n');
    next();
    write('proc/driver/nvidia/version', 'NVRM version: 550.54');
    next();
    write('usr/share/vulkan/icd.d/nvidia_icd.json', '{}');
    next();
    write('usr/share/vulkan/icd.d/nvidia_icd.json', '{ "newer": 1 }');
    next();
    next({ VK_ICD_FILENAMES: '/other.json' });
  });
});

describe('two runs', () => {
  /** One module, two tokens, three experts, the better two chosen. */
  function run(
    change: Partial<Record<'chosen' | 'score' | 'weight' | 'contribution' | 'logProb', number[]>> = {},
  ): Trace {
    const { chosen = [0, 1, 2, 0], score = [3, 2, 1, 2, 1.9995, 4], logProb = [NaN, -1] } = change;
    const { weight = [0.7, 0.3, 0.8, 0.2], contribution = [0.1, 0.2, 0.3, 0.4] } = change;
    const floats = (of: number[]) => Float32Array.from(of);
    const block = {
      ...{ from: 0, to: 1, sequence: 0, experts: 3, k: 2, sharedExperts: 0 },
      chosen: Int16Array.from(chosen),
      ...{ score: floats(score), weight: floats(weight), contribution: floats(contribution) },
    };
    return { blocks: [block], sequences: [{ logProb: floats(logProb) }] } as unknown as Trace;
  }

  it.each([
    ['the same', {}, { difference: 0 }],
    ['rounding', { score: [3.0001, 2, 1, 2, 1.9995, 4], logProb: [NaN, -1.0005] }, 'difference'],
    ['a close choice, and what follows from it', { chosen: [0, 1, 2, 1], logProb: [NaN, -1.005] }, 'difference'],
    ['another choice', { chosen: [2, 1, 2, 0] }, { differs: 'it chooses other experts where the choice is not close' }],
    ['other scores', { score: [3.1, 2, 1, 2, 1.9995, 4] }, { differs: 'its scores differ by more than rounding' }],
    ['other weights', { weight: [0.6, 0.4, 0.8, 0.2] }, { differs: 'its weights differ by more than rounding' }],
    [
      'other contributions',
      { contribution: [1.1, 0.2, 0.3, 0.4] },
      { differs: 'its contributions differ by more than rounding' },
    ],
    ['no number', { score: [NaN, 2, 1, 2, 1.9995, 4] }, { differs: 'its scores differ by more than rounding' }],
    ['other probabilities', { logProb: [NaN, -1.5] }, { differs: 'log-probabilities differ by 0.50' }],
    ['a probability that is no number', { logProb: [NaN, NaN] }, { differs: 'log-probabilities differ by Infinity' }],
    ['fewer tokens', { chosen: [0, 1] }, { differs: 'it has other modules or tokens' }],
  ] as const)('%s', (_, change, found) => {
    const got = compared(run(), run(change as Parameters<typeof run>[0]));
    if (found === 'difference') expect(got).toHaveProperty('difference');
    else expect(got).toEqual(found);
  });

  it('differ where many choices do, however close they are', () => {
    const many = (pick: number): Trace => {
      const tokens = 300;
      const block = {
        ...{ experts: 2, k: 1, chosen: new Int16Array(tokens).fill(pick), score: new Float32Array(2 * tokens).fill(1) },
      };
      return { blocks: [block], sequences: [] } as unknown as Trace;
    };
    expect(compared(many(0), many(1))).toEqual({ differs: 'it chooses other experts in 300 of 300 places' });
  });
});

it('tells the reason without the place in onnxruntime’s source', () => {
  const message =
    'onnxruntime refuses the model: /onnxruntime_src/a/b.cc:136 Init(c&) result.status == Success was false. ' +
    'Failed to get a WebGPU adapter: No supported adapters··';
  expect(reasonOf(new Error(message))).toBe('Failed to get a WebGPU adapter: No supported adapters');
  expect(reasonOf(new Error('x'.repeat(300)))).toHaveLength(200);
});
