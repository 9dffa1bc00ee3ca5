import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { parts } from '../../../scripts/lib/parts.mjs';
import { targets } from '../../../scripts/lib/targets.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const folder = path.join(root, '.github/workflows');

const words = z.record(z.string(), z.string());
const permissions = z.record(z.string(), z.enum(['read', 'write']));

const step = z.union([
  z.strictObject({ run: z.string(), if: z.string().optional(), env: words.optional() }),
  z.strictObject({
    uses: z.string().regex(/^[\w.-]+\/[\w.-]+@(?:release\/)?v\d+$/),
    if: z.string().optional(),
    with: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  }),
]);

const workflow = z.strictObject({
  name: z.string(),
  on: z.record(z.string(), z.unknown()),
  permissions,
  concurrency: z.unknown().optional(),
  // Also on Windows, where PowerShell would take the -- in `npm test -- unit` for itself.
  defaults: z.strictObject({ run: z.strictObject({ shell: z.literal('bash') }) }),
  env: words.optional(),
  jobs: z.record(
    z.string(),
    z.strictObject({
      needs: z.array(z.string()).optional(),
      'runs-on': z.string(),
      'timeout-minutes': z.number(),
      environment: z.string().optional(),
      permissions: permissions.optional(),
      strategy: z
        .strictObject({ 'fail-fast': z.boolean(), matrix: z.strictObject({ include: z.array(words) }) })
        .optional(),
      steps: z.array(step).min(1),
    }),
  ),
});

const files = readdirSync(folder);
const read = (name: string) => workflow.parse(parse(readFileSync(path.join(folder, name), 'utf8')));
const scripts = (
  JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
).scripts;

describe.each(files)('%s', (name) => {
  const jobs = Object.values(read(name).jobs);
  const commands = jobs.flatMap(({ steps }) => steps.flatMap((s) => ('run' in s ? [s.run] : [])));

  test('runs commands that exist', () => {
    for (const run of commands) {
      const npm = /^npm (?:run )?([\w:]+)/.exec(run)?.[1];
      if (npm && !['ci', 'install', 'sbom'].includes(npm)) expect(scripts, run).toHaveProperty([npm]);
      const file = /^(?:bash|node) ((?:\.ci|scripts)\S+)/.exec(run)?.[1];
      if (file) expect(existsSync(path.join(root, file)), file).toBe(true);
      const named = /^npm test -- ([a-z ]+)/.exec(run)?.[1]?.trim().split(' ') ?? [];
      for (const part of named) expect(parts, run).toHaveProperty([part]);
    }
  });

  test('has a value for each name of a matrix', () => {
    for (const { strategy, steps } of jobs)
      for (const [, key] of JSON.stringify(steps).matchAll(/\$\{\{ matrix\.(\w+) \}\}/g))
        for (const row of strategy?.matrix.include ?? []) expect(row).toHaveProperty([key!]);
  });

  test('runs every share', () => {
    for (const { strategy } of jobs) {
      const shards = strategy?.matrix.include.flatMap(({ shard }) => shard ?? []) ?? [];
      expect(shards).toEqual(shards.map((_, i) => `${i + 1}/${shards.length}`));
    }
  });
});

test('each platform has its package', () => {
  for (const job of [read('nightly.yml').jobs['package'], read('release.yml').jobs['try']]) {
    const built = job?.strategy?.matrix.include.flatMap(({ target }) => target ?? []) ?? [];
    expect(built.sort()).toEqual(Object.keys(targets).sort());
  }
});

test('only a release may write, and only where a person has to agree', () => {
  for (const name of files) {
    const { permissions: all, jobs } = read(name);
    expect(all).toEqual({ contents: 'read' });
    for (const job of Object.values(jobs))
      if (job.permissions ?? JSON.stringify(job).includes('secrets.'))
        expect([name, job.environment]).toEqual(['release.yml', 'release']);
  }
});

test('nothing is published that was not tested and tried', () => {
  for (const job of Object.values(read('release.yml').jobs))
    if (job.environment) expect(job.needs).toEqual(['everything', 'try']);
});
