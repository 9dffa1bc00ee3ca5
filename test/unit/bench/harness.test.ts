import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { Bench, machine, runSuite, spread, table } from '../../../bench/harness.js';

test('runs the sides in turn, starting each round with a different one, and ignores warm-ups', async () => {
  const order: string[] = [];
  const side = (label: string) => ({ label, run: () => void order.push(label) });
  const result = await new Bench().compare('turns', [side('a'), side('b')], { warmUps: 1, rounds: 3 });
  expect(order.join('')).toBe('abbaabba');
  expect(result.sides.map((s) => s.values.length)).toEqual([3, 3]);
});

test('keeps what a side measured itself, and the ratio round by round', async () => {
  const numbers = (label: string, all: number[]) => ({ label, run: () => all.shift()! });
  const sides = [numbers('peer', [1, 10, 2]), numbers('ours', [2, 30, 4])];
  const { sides: results } = await new Bench().compare('own', sides, { warmUps: 0, rounds: 3, unit: 'MB' });
  expect(results[0]).toEqual({ label: 'peer', values: [1, 10, 2], median: 2, low: 1.5, high: 6 });
  expect(results[1]!.ratio).toEqual({ median: 2, low: 2, high: 2.5 });
});

test('times a side that returns nothing', async () => {
  const slow = { label: 'slow', run: () => new Promise<void>((resolve) => setTimeout(resolve, 20)) };
  const { sides } = await new Bench(true).compare('time', [slow]);
  expect(sides[0]!.median).toBeGreaterThan(15);
});

test('quartiles of one value and of no values', () => {
  expect(spread([7])).toEqual({ median: 7, low: 7, high: 7 });
  expect(spread([]).median).toBeNaN();
});

test('the table aligns and rounds', () => {
  const sides = [
    { label: 'onnxruntime', median: 12.3456, low: 12, high: 13, values: [] },
    { label: 'gander', median: 15, low: 14.5, high: 16.25, values: [], ratio: { median: 1.215, low: 1.2, high: 1.25 } },
  ];
  expect(table({ name: 'forward', unit: 'ms', rounds: 15, sides })).toBe(
    [
      'forward (15 rounds)',
      '               ms    quartiles  ratio   quartiles',
      'onnxruntime  12.3      12 – 13',
      'gander         15  14.5 – 16.3  1.22×  1.2 – 1.25',
    ].join('\n'),
  );
});

test('a suite is written as JSON with the machine it ran on, and one that compares nothing fails', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-'));
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  await runSuite(
    'one',
    async (b) => {
      await b.compare('x', [{ label: 'a', run: () => 1 }]);
    },
    folder,
    true,
  );
  const json = JSON.parse(readFileSync(path.join(folder, 'one.json'), 'utf8')) as {
    machine: string;
    comparisons: unknown[];
  };
  expect(json.machine).toContain(`Node ${process.versions.node}`);
  expect(machine().split('\n')).toHaveLength(1);
  expect(json.comparisons).toHaveLength(1);
  await expect(runSuite('none', () => undefined, folder, true)).rejects.toThrow('none compared nothing');
  log.mockRestore();
  rmSync(folder, { recursive: true });
});
