import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { targets } from '../../../scripts/lib/targets.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const folder = path.join(root, '.github/workflows');

const step = z.union([
  z.strictObject({ run: z.string(), if: z.string().optional(), env: z.record(z.string(), z.string()).optional() }),
  z.strictObject({
    uses: z.string().regex(/^[\w.-]+\/[\w.-]+@v\d+$/),
    if: z.string().optional(),
    with: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  }),
]);

const workflow = z.strictObject({
  name: z.string(),
  on: z.record(z.string(), z.unknown()),
  permissions: z.record(z.string(), z.enum(['read', 'write'])),
  jobs: z.record(
    z.string(),
    z.strictObject({
      'runs-on': z.string(),
      'timeout-minutes': z.number(),
      strategy: z
        .strictObject({
          'fail-fast': z.boolean(),
          matrix: z.strictObject({ include: z.array(z.record(z.string(), z.string())) }),
        })
        .optional(),
      steps: z.array(step).min(1),
    }),
  ),
});

const read = (name: string) => workflow.parse(parse(readFileSync(path.join(folder, name), 'utf8')));
const scripts = (
  JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
).scripts;

test.each(readdirSync(folder))('%s is a workflow whose commands exist', (name) => {
  for (const job of Object.values(read(name).jobs)) {
    const matrix = job.strategy?.matrix.include ?? [];
    for (const s of job.steps) {
      if (!('run' in s)) continue;
      const npm = /^npm (?:run )?([\w:]+)/.exec(s.run)?.[1];
      if (npm && npm !== 'ci') expect(scripts, s.run).toHaveProperty([npm]);
      const bash = /^bash (\S+)/.exec(s.run)?.[1];
      if (bash) expect(existsSync(path.join(root, bash)), bash).toBe(true);
      for (const [, key] of s.run.matchAll(/\$\{\{ matrix\.(\w+) \}\}/g)) {
        for (const row of matrix) expect(row).toHaveProperty([key!]);
      }
    }
  }
});

test('each platform has its package', () => {
  const all = readdirSync(folder).flatMap((name) => Object.values(read(name).jobs));
  const built = all.flatMap((job) => job.strategy?.matrix.include.flatMap((row) => row['target'] ?? []) ?? []);
  expect(built.sort()).toEqual(Object.keys(targets).sort());
});
