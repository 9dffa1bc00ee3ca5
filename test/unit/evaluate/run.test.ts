import { describe, expect, it } from 'vitest';
import { Results } from '../../../evaluate/results.js';
import { byTurns, measure, plan } from '../../../evaluate/run.js';
import { GanderError } from '../../../src/errors/errors.js';
import { doc, FakeEngine } from './fakes.js';

const documents = [doc('x', 'x1'), doc('x', 'x2'), doc('x', 'x3'), doc('y', 'y1'), doc('a', 'own1', 'own')];
const chosen = { main: ['base', 'phatgoose:2'], singles: ['single:a'], missing: [] };
const never = new AbortController().signal;

describe('the order of work', () => {
  it('takes the kinds in turn', () => {
    expect(byTurns(documents.slice(0, 4)).map((d) => d.text)).toEqual(['x1', 'y1', 'x2', 'x3']);
    expect(byTurns([])).toEqual([]);
  });

  it('has held-out documents before own ones, main strategies before singles', () => {
    const order = plan(documents, chosen).map(
      (t) => `${t.document.text} ${t.what === 'explain' ? 'trace' : t.strategy}`,
    );
    expect(order.slice(0, 6)).toEqual([
      'x1 base',
      'x1 phatgoose:2',
      'x1 trace',
      'y1 base',
      'y1 phatgoose:2',
      'y1 trace',
    ]);
    expect(order.slice(12, 16)).toEqual(['x1 single:a', 'y1 single:a', 'x2 single:a', 'x3 single:a']);
    expect(order.slice(16)).toEqual(['own1 base', 'own1 phatgoose:2', 'own1 trace', 'own1 single:a']);
  });
});

describe('measuring', () => {
  it('repeats nothing that is already measured', async () => {
    const results = new Results('pool');
    const tasks = plan(documents, chosen);
    const stop = new AbortController();
    const first = new FakeEngine();
    const outcome = await measure(first, tasks, results, stop.signal, (_task, done) => {
      if (done === 5) stop.abort();
    });
    expect(outcome.cancelled).toBe(true);
    const second = new FakeEngine();
    expect(await measure(second, tasks, results, never)).toEqual({ cancelled: false, failures: [] });
    const asked = [...first.asked, ...second.asked];
    expect(second.asked.length).toBeLessThan(tasks.length);
    expect(new Set(asked).size).toBe(tasks.length);
    const third = new FakeEngine();
    await measure(third, tasks, results, never);
    expect(third.asked).toEqual([]);
  });

  it('leaves out what the engine refuses, and says so', async () => {
    const results = new Results('pool');
    const engine = new FakeEngine((key, text) => {
      if (key === 'base' && text === 'x2') throw new GanderError('text-too-long', 'too long', 'cut it');
      return key === 'single:a' && text === 'y1' ? NaN : 1;
    });
    const { failures } = await measure(engine, plan(documents, chosen), results, never);
    expect(failures.map((f) => [f.strategy, f.path])).toEqual([
      ['base', 'x2.txt'],
      ['single:a', 'y1.txt'],
    ]);
    expect(results.score('hash of x2', 'base')).toBeUndefined();
    expect(results.score('hash of y1', 'single:a')).toBeUndefined();
    expect(results.score('hash of x3', 'base')).toBeDefined();
  });

  it('gives up if everything is refused', async () => {
    const engine = new FakeEngine(() => {
      throw new GanderError('engine-died', 'gone', 'restart');
    });
    const tasks = plan(documents, { ...chosen, main: ['base', 'merged'] });
    await expect(measure(engine, tasks, new Results('pool'), never)).rejects.toThrow('gone');
    expect(engine.asked).toHaveLength(3);
  });
});
