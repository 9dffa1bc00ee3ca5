/** `gander` on a pool whose base is an encoder-decoder. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { decodeTrace } from '../../src/trace/file/file.js';
import { builtCli, root, temporaryFolder, tinyPool } from './support.js';

const bin = builtCli();
const cache = temporaryFolder();
const folder = temporaryFolder();
const text = 'question: the farmer counts sheep near the old mill every morning. why?';
const target = 'because the gate was open.';

function gander(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
  const pool = args.includes('--pool') ? [] : ['--pool', path.join(root, 'test/fixtures/tiny-t5')];
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args, ...pool, '--cache', cache], { cwd: root }, (failed, out, error) =>
      resolve({ code: failed ? Number(failed.code) : 0, out, error }),
    );
  });
}

it('routes a text with a target, each in its own part of the answer', async () => {
  const file = path.join(folder, 'pair.gander.safetensors');
  const { code, out } = await gander('route', text, '--target', target, '--json', '--trace', file);
  expect(code).toBe(0);
  const { sequences, modules } = JSON.parse(out) as {
    modules: number;
    sequences: { role: string; text: string; meanLogProb: number | null; absent: string[] }[];
  };
  expect(modules).toBe(36);
  expect(sequences.map(({ role, text: own }) => [role, own])).toEqual([
    ['input', text],
    ['output', target],
  ]);
  expect(sequences[0]).toMatchObject({ meanLogProb: null, absent: ['log-probabilities', 'predictions'] });
  expect(sequences[1]!.meanLogProb).toBeLessThan(0);
  const trace = decodeTrace(readFileSync(file));
  expect(trace.sequences.map(({ role }) => role)).toEqual(['input', 'output']);
  const { out: table } = await gander('route', text, '--target', target);
  expect(table).toMatch(/\ninput\n[^]*\noutput\n/);
});

it('writes the output if none is given, like generate', { tags: ['slow'] }, async () => {
  const routed = JSON.parse((await gander('route', text, '-n', '5', '--json')).out) as {
    sequences: { text: string }[];
  };
  const { out } = await gander('generate', text, '-n', '5');
  expect(out).toBe(`${routed.sequences[1]!.text}\n`);
});

it('attributes and compares the output', { tags: ['slow'] }, async () => {
  const attributed = await gander('attribute', text, '--target', target, '--json');
  const { output, tokens } = JSON.parse(attributed.out) as { output: string; tokens: { text: string }[] };
  expect(output).toBe(target);
  expect(tokens.at(-1)!.text).toBe('.');
  const { out } = await gander('compare', text, '--target', target, '--knock-out', '00-P3Agnews@stack=encoder');
  expect(out).toMatch(/encoder 0 .*\n[^]*output\n[^]*decoder 0/);
});

it('refuses a target, or a length for one, if it means nothing', { tags: ['slow'] }, async () => {
  const causal = await gander('route', text, '--target', target, '--pool', tinyPool);
  expect(causal).toMatchObject({ code: 2 });
  expect(causal.error).toMatch(/--target is for encoder-decoders/);
  expect((await gander('route', text, '--target', target, '-n', '5')).error).toMatch(/--max-tokens is for what/);
  const file = path.join(folder, 'a.txt');
  writeFileSync(file, text);
  expect((await gander('score', file)).error).toMatch(/Give a target\.\n$/);
});
