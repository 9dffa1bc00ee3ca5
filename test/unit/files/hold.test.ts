/** One run at a time makes an atlas. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os, { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { holding } from '../../../src/files/hold.js';

const folder = mkdtempSync(path.join(tmpdir(), 'gander-hold-'));
afterAll(() => rmSync(folder, { recursive: true }));

const here = os.hostname().replace(/[^\w-]/g, '_');
const target = (name: string) => path.join(folder, `${name}.gander-atlas`);
const hold = (name: string) => holding(target(name), () => 'made');
const leave = (name: string, pid: number, host = here) => writeFileSync(`${target(name)}.lock-${pid}-${host}`, '');
const left = (name: string) => readdirSync(folder).filter((file) => file.startsWith(`${name}.`));

describe('an atlas in the making', () => {
  it('is held, and given back however the run ends', async () => {
    let during: string[] = [];
    expect(await holding(target('a'), () => (during = left('a')).length)).toBe(1);
    expect(during[0]).toContain(`-${process.pid}-`);
    const failing = () => {
      throw new Error('no luck');
    };
    await expect(holding(target('a'), failing)).rejects.toThrow('no luck');
    expect(left('a')).toEqual([]);
  });

  it('is refused to a second run, in this process or in another, with who holds it and what to do', async () => {
    await holding(target('b'), async () => {
      await expect(hold('b')).rejects.toMatchObject({
        code: 'request-invalid',
        message: `${target('b')} is being written by process ${process.pid}.`,
        remedy: expect.stringContaining('Wait for it, or stop it.') as string,
      });
      expect(await hold('c')).toBe('made');
    });
    leave('d', process.ppid);
    await expect(hold('d')).rejects.toThrow(`being written by process ${process.ppid}.`);
    leave('e', 7, 'elsewhere');
    await expect(hold('e')).rejects.toThrow('being written by process 7 on elsewhere.');
    // Who was refused leaves nothing of its own.
    expect([left('d').length, left('e').length]).toEqual([1, 1]);
  });

  it('is free again when its process was killed, even if this process has its number now', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    leave('f', pid);
    leave('f', process.pid);
    expect(await hold('f')).toBe('made');
    expect(left('f')).toEqual([]);
  });

  it('in a folder that is not there is an error', async () => {
    await expect(hold('no/folder/here')).rejects.toMatchObject({ code: 'io' });
  });
});
