/** Strategies on tasks, with the tiny encoder-decoder and the tiny causal pool. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { main } from '../../evaluate/main.js';
import type { TaskEvaluation } from '../../evaluate/tasks/evaluation.js';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { root, temporaryFolder, tinyPool } from './support.js';

const tinyT5 = path.join(root, 'test/fixtures/tiny-t5');
const never = new AbortController().signal;
const phatgoose = { name: 'phatgoose', k: 2 } as const;

const engineOf = (pool: string): Promise<Engine> =>
  createEngine({ pool, cache: temporaryFolder(), threads: 1, chunk: 64 });

function folderOf(tasks: Readonly<Record<string, readonly unknown[]>>): string {
  const folder = path.join(temporaryFolder(), 'tasks');
  mkdirSync(folder);
  for (const [name, examples] of Object.entries(tasks))
    writeFileSync(path.join(folder, `${name}.jsonl`), examples.map((one) => `${JSON.stringify(one)}\n`).join(''));
  return folder;
}

function command(pool: string, tasks: string, ...more: string[]) {
  const out = temporaryFolder();
  const args = ['--pool', pool, '--tasks', tasks, '--out', out, '--cache', path.join(out, 'cache'), '--threads', '1'];
  return {
    run: (signal = never) => main([...args, ...more], signal),
    data: () => JSON.parse(readFileSync(path.join(out, 'tasks.json'), 'utf8')) as TaskEvaluation,
    markdown: () => readFileSync(path.join(out, 'TASKS.md'), 'utf8'),
  };
}

/** Log-probability of an output, token by token: computed in another way than in the code under test. */
async function logProbOf(engine: Engine, text: string, target: string): Promise<number> {
  const { sequences } = await engine.route({ text, target, strategy: phatgoose });
  return [...sequences[1]!.logProb!].reduce((sum, one) => sum + (Number.isNaN(one) ? 0 : one), 0);
}

const inputs = ['where do geese fly', 'a lake', 'who leads the wedge', 'honk', 'south or north', 'the wind turns'];
const choices = ['south', 'a goose', 'it is not known to anybody here'];

describe('an encoder-decoder on tasks', () => {
  it('picks the likeliest choice, and writes its own output', { tags: ['slow'] }, async () => {
    const engine = await engineOf(tinyT5);
    const chosen = [];
    const free = [];
    for (const input of inputs) {
      const all = await Promise.all(choices.map((choice) => logProbOf(engine, input, choice)));
      chosen.push({ input, choices, target: choices[all.indexOf(Math.max(...all))]! });
      const { sequences } = await engine.generate({ text: input, strategy: phatgoose, maxTokens: 5 });
      free.push({ input, target: `  ${sequences[1]!.text!}\n` });
    }
    engine.dispose();
    const wrong = chosen.map((one) => ({ ...one, target: choices.find((choice) => choice !== one.target)! }));
    const tasks = folderOf({ chosen, free, wrong });
    const { run, data, markdown } = command(
      tinyT5,
      tasks,
      '--strategies',
      'phatgoose:2,base,single',
      '--max-tokens',
      '5',
    );
    expect(await run()).toBe(0);
    const { rows, tasks: told, work } = data();
    expect(work).toEqual({ done: work.total, total: 3 * inputs.length * (2 + 5) });
    expect(told).toEqual([
      { name: 'chosen', examples: 6, chance: expect.closeTo(1 / 3) as number },
      { name: 'free', examples: 6, chance: 0 },
      { name: 'wrong', examples: 6, chance: expect.closeTo(1 / 3) as number },
    ]);
    const right = rows.find(({ key }) => key === 'phatgoose:2')!;
    expect(Object.values(right.tasks).map(({ accuracy }) => accuracy)).toEqual([1, 1, 0]);
    expect(right.overall!.accuracy).toBeCloseTo(2 / 3);
    const oracle = rows.find(({ key }) => key === 'oracle-kind')!;
    const best = rows.find(({ key }) => key === 'best-individual')!;
    for (const { tasks: own } of rows.filter(({ key }) => key.startsWith('single:')))
      for (const [name, { accuracy }] of Object.entries(own))
        expect(oracle.tasks[name]!.accuracy).toBeGreaterThanOrEqual(accuracy);
    expect(oracle.overall!.accuracy).toBeGreaterThanOrEqual(best.overall!.accuracy);
    const base = rows.find(({ key }) => key === 'base')!;
    expect(base.overall!.difference!.value).toBeCloseTo(base.overall!.accuracy - right.overall!.accuracy);
    expect(base.overall!.difference!.low).toBeLessThanOrEqual(base.overall!.difference!.value);
    expect(markdown()).toContain('| phatgoose, k = 2 | 66.7 |');
  });

  it('continues where it was interrupted', async () => {
    const examples = inputs.map((input) => ({ input, choices, target: choices[0] }));
    const { run, data, markdown } = command(tinyT5, folderOf({ examples }), '--strategies', 'base');
    const stopped = new AbortController();
    const running = run(stopped.signal);
    setTimeout(() => stopped.abort(), 0);
    expect(await running).toBe(130);
    expect(await run()).toBe(0);
    const { work } = data();
    expect(work).toEqual({ done: 12, total: 12 });
    expect(markdown()).not.toContain('Partial');
  });
});

describe('a causal model on tasks', () => {
  it('reads input and choice as one text', async () => {
    const engine = await engineOf(tinyPool);
    const examples = [];
    for (const input of inputs) {
      const bits = await Promise.all(
        choices.map(async (choice) => (await engine.score({ text: input + choice, strategy: phatgoose })).bits),
      );
      examples.push({ input, choices, target: choices[bits.indexOf(Math.min(...bits))]! });
    }
    engine.dispose();
    const { run, data } = command(tinyPool, folderOf({ examples }), '--strategies', 'phatgoose:2');
    expect(await run()).toBe(0);
    expect(data().rows[0]!.overall!.accuracy).toBe(1);
  });
});
