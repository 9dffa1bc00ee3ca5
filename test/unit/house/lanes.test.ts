import { expect, it } from 'vitest';
import { inLanes, type Job } from '../../../scripts/lib/lanes.mjs';

/** Runs the jobs and ends them one by one, in the order in which they began. @returns what ran at each moment */
async function watch(jobs: readonly Job[]): Promise<{ readonly at: string[]; readonly alone: string[] }> {
  const running = new Map<string, () => void>();
  const at: string[] = [];
  const alone: string[] = [];
  const all = inLanes(jobs, (job, isAlone) => {
    if (isAlone) alone.push(job.name);
    return new Promise((resolve) => running.set(job.name, resolve));
  });
  let over = false as boolean;
  void all.then(() => (over = true));
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (over) return { at, alone };
    at.push([...running.keys()].join('+'));
    const [first] = running;
    if (!first) throw new Error('nothing runs, and not all is done');
    running.delete(first[0]);
    first[1]();
  }
}

it('runs jobs of one core two at a time, and jobs of two cores alone', async () => {
  const { at, alone } = await watch([
    { name: 'both', cores: 2 },
    { name: 'a', cores: 1 },
    { name: 'both again', cores: 2 },
    { name: 'b', cores: 1 },
    { name: 'c', cores: 1 },
  ]);
  expect(at).toEqual(['both', 'a+b', 'b+c', 'c', 'both again']);
  expect(alone).toEqual(['both', 'both again']);
});

it('starts a job only after the one that it waits for, if that is among the jobs', async () => {
  const { at } = await watch([
    { name: 'first', cores: 1 },
    { name: 'second', cores: 1, after: 'first' },
    { name: 'third', cores: 1, after: 'second' },
    { name: 'other', cores: 1, after: 'not asked for' },
  ]);
  expect(at).toEqual(['first+other', 'other+second', 'second', 'third']);
});

it('says that a job is alone if no other can begin beside it', async () => {
  expect((await watch([{ name: 'a', cores: 1 }])).alone).toEqual(['a']);
  expect(
    (
      await watch([
        { name: 'a', cores: 1 },
        { name: 'b', cores: 1, after: 'a' },
      ])
    ).alone,
  ).toEqual(['a', 'b']);
});

it('ends with the error of a job that cannot be started', async () => {
  await expect(inLanes([{ name: 'a', cores: 1 }], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});
