/** `gander similarity` and `gander try` as a person or a script runs them, on the tiny pool. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtCli, copyOfTinyPool, root, temporaryFolder, tinyPool } from './support.js';

const bin = builtCli();
const cache = temporaryFolder();

function gander(...args: readonly string[]) {
  const env = { ...process.env, XDG_CACHE_HOME: cache, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], { env, cwd: root, encoding: 'utf8' });
  return { code: status, out: stdout, error: stderr };
}

function parsed(...args: readonly string[]): Record<string, unknown> {
  const { code, out, error } = gander(...args, '--json');
  expect({ code, error }).toEqual({ code: 0, error: '' });
  return JSON.parse(out) as Record<string, unknown>;
}

describe('gander similarity', () => {
  it('shows each pair of experts by gate and by adapter, and lists the most similar', () => {
    const { code, out, error } = gander('similarity', tinyPool, '--most', '2');
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toContain('Cosines of 4 experts  over all 2 layers');
    expect(out).toMatch(/^gate +Ze +ARS +B10 +B2$/m);
    expect(out).toMatch(/^adapter +Ze +ARS +B10 +B2$/m);
    expect(out).toMatch(/most alike by gate +gate +adapter\n.+ 0\.057 +0\.010\n.+\n\n/);
  });

  it('gives scripts everything, as square matrices', { tags: ['slow'] }, () => {
    const found = parsed('similarity', tinyPool) as {
      experts: { id: string }[];
      layers: object[];
      gate: { all: number[][]; layers: number[][][] };
      pairs: { a: string; b: string; gate: number; adapter: number }[];
    };
    expect(found.experts.map(({ id }) => id)).toEqual(['Zeta', 'alpha', 'beta-10', 'beta-2']);
    expect(found.layers).toEqual([{ layer: 0 }, { layer: 1 }]);
    expect(found.gate.all[1]![0]).toBe(found.gate.all[0]![1]);
    expect(found.gate.layers).toHaveLength(2);
    expect(found.pairs).toHaveLength(6);
    expect(found.pairs[0]).toMatchObject({ a: 'beta-10', b: 'beta-2', gate: found.gate.all[2]![3] });
  });

  it('shows one layer, and refuses a layer that does not exist, and a mixture', { tags: ['slow'] }, () => {
    expect(gander('similarity', tinyPool, '--layer', '1').out).toContain('4 experts  layer 1');
    expect(gander('similarity', tinyPool, '--layer', '7')).toMatchObject({
      code: 2,
      error: expect.stringContaining('There is no layer "7". Layers: 0, 1.') as string,
    });
    expect(gander('similarity', '--model', 'models/gosling-moe')).toMatchObject({ code: 1 });
  });
});

describe('gander try', { tags: ['slow'] }, () => {
  const pool = copyOfTinyPool();
  const inside = path.join(pool, 'experts/alpha');
  const folder = path.join(temporaryFolder(), 'alpha');
  cpSync(inside, folder, { recursive: true });
  rmSync(inside, { recursive: true });

  it('says whether it fits, how often it is chosen, what the text gains, and which experts are similar', () => {
    const { code, out, error } = gander('try', folder, 'two geese fly', '--pool', pool);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(out).toContain('Alpha (rank-stabilised) fits Tiny');
    expect(out).toContain('It was tried, not added.');
    expect(out).toMatch(/load +\d+\.\d % +\d+\.\d % to \d+\.\d % +25\.0 %/);
    expect(out).toMatch(/log-probability -\d+\.\d{3} → -\d+\.\d{3} nats a token, [+-]?\d\.\d{3} \((better|worse)\)/);
    expect(out).toMatch(/most like it by gate +gate +adapter\n/);
    expect(existsSync(inside)).toBe(false);
  });

  it('gives scripts the same', () => {
    const found = parsed('try', folder, 'two geese fly', '--pool', pool) as {
      expert: object;
      sequences: { share: number; chance: number; layers: object[] }[];
      logProb: { without: number; with: number; change: number };
      nearest: { id: string }[];
    };
    expect(found.expert).toEqual({ id: 'alpha', name: 'Alpha (rank-stabilised)' });
    expect(found.sequences[0]!.chance).toBeCloseTo(0.25);
    expect(found.logProb.change).toBeCloseTo(found.logProb.with - found.logProb.without);
    expect(found.nearest.map(({ id }) => id).sort()).toEqual(['Zeta', 'beta-10', 'beta-2']);
  });

  it('says why an expert does not fit, and asks for a folder and a text', () => {
    expect(gander('try', 'models/smollm2-135m/experts/go', 'two geese', '--pool', pool)).toMatchObject({
      code: 1,
      out: '',
      error: expect.stringContaining('go does not fit the pool: it was made for another base model') as string,
    });
    expect(gander('try')).toMatchObject({ code: 2 });
  });
});
