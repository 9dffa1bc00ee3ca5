/** Shared by the engine's tests. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished } from 'vitest';
import type { Trace } from '../../src/trace/model/trace.js';
import { parseHeader, toFloat32 } from '../../src/formats/safetensors.js';
import type { TextTokens } from '../../src/engine/runtime/tokenizer.js';
import { strategyOfRouter } from '../../src/strategies/index.js';
import { decodeTrace } from '../../src/trace/file/file.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** onnxruntime runs on an emulated processor (test/processors), a hundred times slower, so nothing large. */
export const isEmulated = process.env['GANDER_TEST_PROCESSOR'] !== undefined;

export const tinyPool = path.join(root, 'test/fixtures/tiny-pool');

/** A pool's trace as one table, with its one text and one block; `router` in the form of a request. */
export function pooled(trace: Trace) {
  const [sequence, block, set] = [trace.sequences[0]!, trace.blocks[0]!, trace.expertSets[0]!];
  const { modules, interventions } = trace;
  const strategy = strategyOfRouter(trace.router);
  return {
    ...block,
    ...sequence,
    tokens: sequence.tokens as TextTokens,
    experts: set.experts,
    modules,
    interventions,
    strategy,
  };
}

/** A folder that is deleted after the test (or after the file, if called outside a test). */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'gander-test-'));
  try {
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  } catch {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }
  return folder;
}

/** A copy of the tiny pool that a test may change. */
export function copyOfTinyPool(): string {
  const folder = path.join(temporaryFolder(), 'pool');
  cpSync(tinyPool, folder, { recursive: true });
  return folder;
}

export interface Golden {
  readonly name: string;
  readonly trace: Trace;
  /** Tensors that are not in a trace, by name: `bias`, `fixed`, `last_logits`. */
  readonly extra: (name: string) => Float32Array | undefined;
}

/** The PyTorch reference's results (training/src/gander_training/reference). */
export function goldens(pool: string): Golden[] {
  const folder = path.join(root, 'test/fixtures/golden', pool);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.safetensors'))
    .map((file) => {
      const bytes = readFileSync(path.join(folder, file));
      return {
        name: file.replace('.safetensors', ''),
        trace: decodeTrace(bytes),
        extra: (name) => {
          const entry = parseHeader(bytes, bytes.length).tensors.get(name);
          return entry && toFloat32(entry.dtype, bytes.subarray(entry.begin, entry.end));
        },
      };
    });
}

export interface Tolerance {
  readonly score: number;
  readonly logProb: number;
  readonly weight: number;
  readonly contribution: number;
}

/** Largest absolute difference; NaN must match NaN. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    if (Number.isNaN(a[i]!) && Number.isNaN(b[i]!)) continue;
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/**
 * Compares a trace with a golden one, which may have only some of the trace's modules. The choices must be equal wherever the
 * golden's margin (to the best expert not chosen, and between the chosen ones) is above 1e-3.
 */
export function expectLike(got: Trace, wanted: Trace, tolerance: Tolerance): void {
  const [trace, golden] = [pooled(got), pooled(wanted)];
  expect([...trace.tokens.ids]).toEqual([...golden.tokens.ids]);
  expect([...trace.tokens.start]).toEqual([...golden.tokens.start]);
  expect([...trace.tokens.end]).toEqual([...golden.tokens.end]);
  expect(trace.experts).toEqual(golden.experts);
  expect(trace.done).toBe(trace.tokens.count);
  expect(trace.k).toBe(golden.k);
  const [t, n, k] = [golden.tokens.ids.length, golden.experts.length, golden.k];
  const rows = golden.modules.map(({ path: name }) => trace.modules.findIndex((module) => module.path === name));
  expect(rows).not.toContain(-1);
  let compared = 0;
  let closeCalls = 0;
  rows.forEach((row, module) => {
    const of = (array: Float32Array | Int16Array, m: number, width: number) =>
      array.subarray(m * t * width, (m + 1) * t * width);
    if (golden.score) {
      expect(
        largestDifference(of(trace.score!, row, n), of(golden.score, module, n)),
        `score at ${golden.modules[module]!.path}`,
      ).toBeLessThan(tolerance.score);
    }
    for (let token = 0; token < t; token++) {
      const mine = (row * t + token) * k;
      const theirs = (module * t + token) * k;
      const same =
        [...trace.chosen.subarray(mine, mine + k)].join() === [...golden.chosen.subarray(theirs, theirs + k)].join();
      if (!same && isCloseCall(golden, module, token)) {
        closeCalls++;
        continue;
      }
      expect(
        [...trace.chosen.subarray(mine, mine + k)],
        `choice at ${golden.modules[module]!.path}, token ${token}`,
      ).toEqual([...golden.chosen.subarray(theirs, theirs + k)]);
      compared++;
      expect(
        largestDifference(trace.weight!.subarray(mine, mine + k), golden.weight!.subarray(theirs, theirs + k)),
      ).toBeLessThan(tolerance.weight);
      for (let slot = 0; slot < k; slot++) {
        const wanted = golden.contribution![theirs + slot]!;
        expect(Math.abs(trace.contribution![mine + slot]! - wanted)).toBeLessThan(
          tolerance.contribution * Math.max(1, wanted),
        );
      }
    }
  });
  expect(compared).toBeGreaterThan(0);
  expect(closeCalls).toBeLessThan(0.01 * rows.length * t + 1);
  expect(largestDifference(trace.logProb!, golden.logProb!)).toBeLessThan(tolerance.logProb);
  for (let token = 0; token < t; token++) {
    for (let p = 0; p < golden.predictions; p++) {
      const mine = trace.topLogProb![token * trace.predictions + p]!;
      expect(Math.abs(mine - golden.topLogProb![token * golden.predictions + p]!)).toBeLessThan(tolerance.logProb);
    }
  }
}

/** Whether the golden's scores here are so close that rounding may decide. */
function isCloseCall(golden: ReturnType<typeof pooled>, module: number, token: number): boolean {
  if (!golden.score) return true;
  const [t, n, k] = [golden.tokens.ids.length, golden.experts.length, golden.k];
  const scores = [...golden.score.subarray((module * t + token) * n, (module * t + token + 1) * n)].sort(
    (a, b) => b - a,
  );
  return scores.some((score, i) => i > 0 && i <= k && scores[i - 1]! - score <= 1e-3);
}

/** The script of the child. */
export const builtEngine = (): string => path.join(inject('programs'), 'engine.cjs');

/** The command line. */
export const builtCli = (): string => path.join(inject('programs'), 'cli.cjs');

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Process ids of its children that are alive. */
export function childrenOf(pid: number): number[] {
  const all = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return [...all.matchAll(/(\d+) +(\d+)/g)]
    .filter(([, , parent]) => Number(parent) === pid)
    .map(([, own]) => Number(own));
}

/** Seconds of processor time that a process has used. */
export function processorTime(pid: number): number {
  // [[days-]hours:]minutes:seconds
  const time = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  return time
    .split(/[-:]/)
    .reduceRight((sum, part, i, all) => sum + Number(part) * [1, 60, 3600, 86_400][all.length - 1 - i]!, 0);
}

export async function until(condition: () => boolean, ms = 60_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
