/** Pools that PEFT routes by itself, with what it computes (training/src/gander_training/compatibility/peft_routers.py). */
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { parseHeader, toFloat32 } from '../../src/formats/safetensors.js';
import type { Strategy } from '../../src/strategies/index.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { largestDifference, pooled, root, temporaryFolder } from './support.js';

export const fixtures = path.join(root, 'test/fixtures/peft');
/** Only rounding differs. */
export const bound = 2e-5;

export interface PeftCase {
  /** Of an X-LoRA case: the adapters, by class. */
  readonly experts: readonly string[];
  /** Of an Arrow case. */
  readonly strategy: Strategy;
  readonly general: readonly string[];
  readonly text: string;
  /** In PEFT's order: that of the results' first axis. */
  readonly modules: readonly string[];
  readonly floats: (name: string) => Float32Array;
}

/** The files under a folder of each architecture, as [architecture, name without its ending]. */
export function casesIn(kind: 'arrow' | 'xlora'): [architecture: string, name: string][] {
  return readdirSync(fixtures).flatMap((architecture) =>
    readdirSync(path.join(fixtures, architecture, kind)).map((name): [string, string] => [
      architecture,
      name.replace('.safetensors', ''),
    ]),
  );
}

export function readCase(file: string): PeftCase {
  const bytes = readFileSync(file);
  const { tensors, metadata } = parseHeader(bytes, bytes.length);
  const floats = (name: string) => {
    const { dtype, begin, end } = tensors.get(name)!;
    return toFloat32(dtype, bytes.subarray(begin, end));
  };
  return { ...(JSON.parse(metadata.get('case')!) as PeftCase), floats };
}

/** A pool of an architecture's base and some of its adapters. */
export function poolOf(
  architecture: string,
  experts: readonly string[],
  more: object,
  parts: readonly string[],
): string {
  const pool = path.join(temporaryFolder(), architecture);
  const from = path.join(fixtures, architecture);
  mkdirSync(path.join(pool, 'experts'), { recursive: true });
  const copied = ['base', ...experts.map((id) => `experts/${id}`), ...parts];
  for (const part of copied) cpSync(path.join(from, part), path.join(pool, part), { recursive: true });
  const manifest = JSON.parse(readFileSync(path.join(from, 'pool.json'), 'utf8')) as object;
  writeFileSync(path.join(pool, 'pool.json'), JSON.stringify({ ...manifest, ...more }));
  return pool;
}

export function xLoraCase(architecture: string, name: string): PeftCase {
  return readCase(path.join(fixtures, architecture, 'xlora', name, 'golden.safetensors'));
}

/** A pool with the classifier of an X-LoRA case. @param also experts that the classifier does not know */
export function xLoraPool(architecture: string, name: string, also: readonly string[] = []): string {
  const { experts, modules } = xLoraCase(architecture, name);
  const classifier = `xlora/${name}`;
  return poolOf(architecture, [...experts, ...also], { xlora: { classifier, experts, modules } }, [classifier]);
}

/**
 * Compares a trace with PEFT's numbers.
 *
 * @param experts ids in the order of the results' last axis
 * @returns how many choices there were, and how many differed between two scores that rounding cannot tell apart
 */
export function expectAsPeft(got: Trace, wanted: PeftCase, experts: readonly string[]) {
  const trace = pooled(got);
  const [t, n, k] = [trace.tokens.count, experts.length, trace.k];
  expect(trace.experts.map(({ id }) => id)).toEqual([...experts].sort());
  expect(trace.modules.map((module) => module.path).sort()).toEqual([...wanted.modules].sort());
  const [affinity, weight] = [wanted.floats('affinity'), wanted.floats('weight')];
  const columns = trace.experts.map(({ id }) => experts.indexOf(id));
  const off = { affinity: 0, weight: 0 };
  let [choices, ties] = [0, 0];
  trace.modules.forEach(({ path: name }, row) => {
    const module = wanted.modules.indexOf(name);
    for (let token = 0; token < t; token++) {
      const theirs = (of: Float32Array) => columns.map((e) => of[(module * t + token) * n + e]!);
      const scores = [...trace.score!.subarray((row * t + token) * n, (row * t + token + 1) * n)];
      off.affinity = Math.max(off.affinity, largestDifference(scores, theirs(affinity)));
      const own = new Array<number>(n).fill(0);
      for (let slot = (row * t + token) * k; slot < (row * t + token + 1) * k; slot++)
        if (trace.chosen[slot]! >= 0) own[trace.chosen[slot]!] = trace.weight![slot]!;
      const applied = theirs(weight);
      choices++;
      const sorted = theirs(affinity).sort((a, b) => b - a);
      if (own.some((w, e) => (w === 0) !== (applied[e] === 0))) {
        ties++;
        expect(Math.min(...sorted.slice(1).map((x, i) => sorted[i]! - x)), `a choice at ${name}`).toBeLessThan(bound);
      } else off.weight = Math.max(off.weight, largestDifference(own, applied));
    }
  });
  expect(off.affinity).toBeLessThan(bound);
  expect(off.weight).toBeLessThan(bound);
  expect(largestDifference(trace.logProb!.subarray(1), wanted.floats('log_prob'))).toBeLessThan(bound);
  return { choices, ties };
}
