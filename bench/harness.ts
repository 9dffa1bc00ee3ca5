// The basis of every benchmark: sides that run in turn, medians with their spread, ratios within a round.
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import path from 'node:path';
import { quantile } from '../src/statistics/quantile.js';
import { columns } from '../src/terminal/columns.js';

/** One of the things compared. If `run` returns a number, that is the measurement, in the comparison's unit; otherwise it is timed. */
export interface Side {
  readonly label: string;
  readonly run: () => unknown;
}

export interface CompareOptions {
  readonly unit?: string;
  /** Rounds that do not count, for caches, just-in-time compilation and first allocations. */
  readonly warmUps?: number;
  readonly rounds?: number;
}

/** The median and the quartiles around it. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface SideResult extends Spread {
  readonly label: string;
  readonly values: readonly number[];
  /** Ratio to the first side, round by round, so that what disturbs a whole round cancels out. Absent for the first side. */
  readonly ratio?: Spread;
}

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly rounds: number;
  readonly sides: readonly SideResult[];
}

/** The default export of a `*.bench.ts` file. */
export type Suite = (bench: Bench) => Promise<void> | void;

export class Bench {
  readonly comparisons: Comparison[] = [];
  /** Anything else worth keeping: sizes, versions, settings. */
  readonly notes: Record<string, string | number> = {};

  /** `quick`: only one round, to see that a benchmark works. */
  constructor(readonly quick = false) {}

  /** Runs every side once per round, starting each round with a different one, and keeps and returns the result. */
  async compare(name: string, sides: readonly Side[], options: CompareOptions = {}): Promise<Comparison> {
    const { unit = 'ms', warmUps = 3, rounds = 15 } = options;
    const counted = this.quick ? 1 : rounds;
    const ignored = this.quick ? 0 : warmUps;
    const values: number[][] = sides.map(() => []);
    for (let round = -ignored; round < counted; round++) {
      for (let i = 0; i < sides.length; i++) {
        const at = (i + round + ignored) % sides.length;
        const start = performance.now();
        const own = await sides[at]!.run();
        const value = typeof own === 'number' ? own : performance.now() - start;
        if (round >= 0) values[at]!.push(value);
      }
    }
    const first = values[0] ?? [];
    const comparison: Comparison = {
      name,
      unit,
      rounds: counted,
      sides: sides.map(({ label }, i) => ({
        label,
        ...spread(values[i]!),
        ...(i > 0 && { ratio: spread(values[i]!.map((v, round) => v / first[round]!)) }),
        values: values[i]!,
      })),
    };
    this.comparisons.push(comparison);
    // At once: what takes minutes is not lost to what fails after it.
    console.log(`\n${table(comparison)}`);
    return comparison;
  }
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

/** The machine, in one line. */
export function machine(): string {
  const all = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const load = loadavg()[0]?.toFixed(1) ?? '?';
  return `${all.length} × ${all[0]?.model.trim() ?? 'unknown CPU'}, ${memory}, ${platform()} ${release()} ${arch()}, Node ${process.versions.node}, load ${load}`;
}

const figure = (n: number): string => (Number.isFinite(n) ? String(Number(n.toPrecision(3))) : '–');

export function table(comparison: Comparison): string {
  const head = ['', comparison.unit, 'quartiles', 'ratio', 'quartiles'];
  const rows = comparison.sides.map(({ label, median, low, high, ratio }) => [
    label,
    figure(median),
    `${figure(low)} – ${figure(high)}`,
    ratio ? `${figure(ratio.median)}×` : '',
    ratio ? `${figure(ratio.low)} – ${figure(ratio.high)}` : '',
  ]);
  return [`${comparison.name} (${comparison.rounds} rounds)`, ...columns([head, ...rows], 'lrrrr')].join('\n');
}

/** Runs one file's suite, prints its tables and writes `folder`/`name`.json. */
export async function runSuite(name: string, suite: Suite, folder: string, quick: boolean): Promise<void> {
  const bench = new Bench(quick);
  const ranOn = machine();
  console.log(`\n── ${name}\n${ranOn}`);
  const { comparisons, notes } = bench;
  try {
    await suite(bench);
  } finally {
    for (const [key, value] of Object.entries(notes)) console.log(`${key}: ${value}`);
  }
  if (!comparisons.length) throw new Error(`${name} compared nothing`);
  mkdirSync(folder, { recursive: true });
  const json = { name, machine: ranOn, date: new Date().toISOString(), comparisons, notes };
  writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(json, null, 1));
}
