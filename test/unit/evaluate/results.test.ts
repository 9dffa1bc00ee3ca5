import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { explain } from '../../../evaluate/explain.js';
import { Results } from '../../../evaluate/results.js';
import { traceOf } from './fakes.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'gander-test-'));
  file = path.join(folder, 'deeper/results.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const score = { bits: 12.5, bytes: 7, tokens: 3 };

describe('results', () => {
  it('are restored exactly after a restart', () => {
    const explained = explain(
      traceOf('text', (t) => t % 3),
      [],
    );
    const first = new Results('pool', file);
    first.addScore('d', 'base', { ...score, bits: 0.1 + 0.2 });
    first.addExplained('d', 'phatgoose:2', explained);
    const again = new Results('pool', file);
    expect(again.score('d', 'base')).toEqual({ ...score, bits: 0.1 + 0.2 });
    expect(again.explained('d', 'phatgoose:2')).toEqual(explained);
    expect(again.score('d', 'phatgoose:2')).toBeUndefined();
    expect(again.score('e', 'base')).toBeUndefined();
  });

  it('of another pool do not count', () => {
    new Results('pool', file).addScore('d', 'base', score);
    expect(new Results('other', file).score('d', 'base')).toBeUndefined();
  });

  it('survive a line that was cut short', () => {
    new Results('pool', file).addScore('d', 'base', score);
    appendFileSync(file, readFileSync(file, 'utf8').slice(0, 40));
    const second = new Results('pool', file);
    expect(second.score('d', 'base')).toEqual(score);
    second.addScore('e', 'base', score);
    expect(new Results('pool', file).score('e', 'base')).toEqual(score);
  });

  it('of another version are measured again', () => {
    new Results('pool', file).addScore('d', 'base', score);
    const old = readFileSync(file, 'utf8').replace('"version":1', '"version":0').replace('"d"', '"old"');
    appendFileSync(file, old);
    expect(new Results('pool', file).score('old', 'base')).toBeUndefined();
  });

  it('are taken over from an earlier evaluation only of the same pool', () => {
    const before = { hash: 'd', bytes: 7, tokens: 3, bits: { base: 12.5, 'phatgoose:2': 11, 'learned:2': 10 } };
    const json = (hash: string) => JSON.stringify({ pool: { hash }, results: [before] });
    const results = new Results('pool', file);
    results.addScore('d', 'base', { ...score, bits: 1 });
    expect(results.takeOver(json('other'), 'alike')).toBe(0);
    expect(results.takeOver(json('pool'), 'alike')).toBe(2);
    expect(results.score('d', 'phatgoose:2')).toEqual({ bits: 11, bytes: 7, tokens: 3 });
    expect(results.score('d', 'jointly-trained:2')?.bits).toBe(10); // its present name
    expect(results.score('d', 'base')?.bits).toBe(1); // measured here
    expect(new Results('pool', file).takeOver(json('alike'), 'alike')).toBe(2);
    expect(() => results.takeOver('{"pool"', 'alike')).toThrow('damaged');
  });
});
