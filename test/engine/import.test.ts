/** `gander import` as a person runs it; the file is read in a process of its own. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { importInChild } from '../../src/import/client.js';
import { GanderError } from '../../src/errors/errors.js';
import { decodeTrace } from '../../src/trace/file/file.js';
import { poolThatAborts, poolWhoseTextGrows } from './hostile.js';
import { builtCli, root, temporaryFolder, tinyPool } from './support.js';

const bin = builtCli();
const fixtures = path.join(root, 'test/fixtures/imports');
const fixture = (name: string) => path.join(fixtures, name);
const tokenizer = path.join(tinyPool, 'base/tokenizer.json');
const expected = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')) as { ids: number[]; prompt: number };
const text = readFileSync(fixture('text.txt'), 'utf8');

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

function gander(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, error] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (part: string) => (out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (error += part));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, error })));
}

async function imported(name: string, ...args: string[]) {
  const target = path.join(temporaryFolder(), 'out.gander.safetensors');
  const ended = await gander('import', fixture(name), '-o', target, ...args);
  expect(ended.code, ended.error).toBe(0);
  return { ...ended, trace: decodeTrace(readFileSync(target)) };
}

describe('gander import', () => {
  it('makes a trace, says what it contains, and warns of assumptions', async () => {
    const { trace, out, error } = await imported('ranks.csv');
    expect(out).toMatch(/out\.gander\.safetensors: 18 tokens, 2 layers of 8 experts\n$/);
    expect(error).toBe(
      'gander: warning: The file does not say how many experts a layer has: 8 is as many as were seen.\n',
    );
    expect(trace.source).toMatchObject({ kind: 'llama.cpp', name: 'ranks.csv' });
  });

  it('says the same in JSON', async () => {
    const { out, error } = await imported('vllm.npy', '--config', fixture('config.json'), '--json');
    expect(error).toBe('');
    expect(JSON.parse(out)).toMatchObject({ tokens: 18, layers: 2, experts: 8, k: 2, warnings: [] });
  });

  it('aligns a text: the prompt’s tokens have offsets, generated ones at most ids', async () => {
    for (const name of ['moe_topk.jsonl', 'vllm.npy']) {
      const { trace } = await imported(name, '--text', fixture('text.txt'), '--tokenizer', tokenizer);
      const [sequence] = trace.sequences;
      const { tokens, text: whole } = sequence!;
      expect(whole).toBe(text);
      expect([...tokens.ids!.subarray(0, expected.prompt)]).toEqual(expected.ids.slice(0, expected.prompt));
      expect([...tokens.ids!.subarray(expected.prompt)]).toEqual(
        name === 'vllm.npy' ? [-1, -1] : expected.ids.slice(expected.prompt),
      );
      expect(text.slice(tokens.start![1], tokens.end![1])).toBe('def');
      expect(tokens.special![0]).toBe(1);
      // In UTF-16 the goose is two units, and both of its tokens stand for both.
      expect([tokens.start![expected.prompt - 1], tokens.end![expected.prompt - 1]]).toEqual([
        text.length - 2,
        text.length,
      ]);
      expect(tokens.start![expected.prompt]).toBe(-1);
    }
  });

  it('shows the last token, for which vLLM gives no row, as unknown', async () => {
    const shorter = path.join(temporaryFolder(), 'text.txt');
    // One token more than the file has rows, because vLLM does not run the last token.
    writeFileSync(shorter, `${text} ab`);
    const { trace } = await imported('vllm.npy', '--text', shorter, '--tokenizer', tokenizer);
    const { tokens, done } = trace.sequences[0]!;
    expect(done).toBe(tokens.count);
    expect(tokens.count).toBe(19);
    const { chosen, k } = trace.blocks[0]!;
    expect([...chosen.subarray((tokens.count - 1) * k, tokens.count * k)]).toEqual([-1, -1]);
  });

  it('spells ids with a given tokenizer', async () => {
    const { trace } = await imported('router_logits.safetensors', '-k', '2', '--tokenizer', tokenizer);
    expect(trace.sequences[0]!.tokens.text!.slice(0, 4)).toEqual(['<|endoftext|>', 'def', ' ', 'a']);
    expect(trace.sequences[0]!.text).toBeUndefined();
  });

  it.each([
    [
      'a text that was not routed',
      ['moe_topk.jsonl', '--text', 'README.md', '--tokenizer', tokenizer],
      /does not fit the file/,
    ],
    ['a text alone', ['ranks.csv', '--text', 'text.txt'], /tokenizer\.json/],
    ['a file that is not a tokenizer', ['moe_topk.jsonl', '--tokenizer', 'config.json'], /tokenizer cannot be read/],
    ['logits without k', ['router_logits.npy'], /takes --k <n> or --config/],
    ['a file of another form', ['README.md'], /does not begin like/],
    ['a file that does not exist', ['nowhere.csv'], /ENOENT/],
  ])('refuses %s in one line', async (_, [name, ...args], why) => {
    const target = path.join(temporaryFolder(), 'out.gander.safetensors');
    const named = args.map((arg) => (/^\w+\.(md|txt|json)$/.test(arg) ? fixture(arg) : arg));
    const { code, error } = await gander('import', fixture(name!), '-o', target, ...named);
    expect(code).toBe(1);
    expect(error).toMatch(why);
    expect(error.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(target)).toBe(false);
  });

  it('prints its usage', async () => {
    expect((await gander('import', fixture('ranks.csv'))).code).toBe(2);
    expect((await gander('import', '-o', 'x')).code).toBe(2);
    expect((await gander('import', '--help')).out).toContain('<file> -o <trace file>');
  });
});

describe('the process that reads', () => {
  const entry = path.join(path.dirname(bin), 'import.cjs');
  const job = { name: 'a file', bytes: readFileSync(fixture('router_logits.safetensors')), k: 2 };
  const planted = (body: string) => {
    const file = path.join(temporaryFolder(), 'planted.cjs');
    writeFileSync(file, `process.on('message', (m) => { ${body} }); process.on('disconnect', () => process.exit());`);
    return file;
  };
  const refused = (reading: Promise<unknown>) =>
    reading.then(
      () => 'not refused',
      (thrown: unknown) => {
        expect(thrown).toBeInstanceOf(GanderError);
        return `${(thrown as GanderError).code}: ${(thrown as GanderError).message}`;
      },
    );

  it('ends if a tokenizer aborts it, and no other process does', async () => {
    const tokenizer = path.join(poolThatAborts(), 'base/tokenizer.json');
    expect(await refused(importInChild({ ...job, text, tokenizer }, { entry }))).toMatch(
      /^import-invalid: a file could not be imported: the process that read it ended/,
    );
  });

  it('is ended if a tokenizer takes too much memory', { tags: ['slow'] }, async () => {
    const tokenizer = path.join(poolWhoseTextGrows(5), 'base/tokenizer.json');
    expect(await refused(importInChild({ ...job, text, tokenizer }, { entry }))).toMatch(/^import-invalid: .* ended/);
  });

  it('is ended if it takes too long or is cancelled; ending by itself or sending nonsense is an error', async () => {
    const hanging = planted('for (;;);');
    expect(await refused(importInChild(job, { entry: hanging, deadlineMs: 500 }))).toMatch(
      /took longer than 0\.5 seconds/,
    );
    expect(await refused(importInChild(job, { entry: planted('process.exit(3);') }))).toMatch(/ended \(exit code 3\)/);
    expect(
      await refused(
        importInChild(job, { entry: planted("process.send({ type: 'result', id: m.id, result: { trace: [1] } });") }),
      ),
    ).toMatch(/^internal/);
    const liar = planted(
      "process.send({ type: 'result', id: m.id, result: { trace: new Uint8Array(9), warnings: [] } });",
    );
    expect(await refused(importInChild(job, { entry: liar }))).toMatch(/^trace-invalid/);
    expect(await refused(importInChild(job, { entry: '/nowhere.cjs' }))).toMatch(/ended/);
    const stop = AbortSignal.timeout(200);
    expect(await refused(importInChild(job, { entry: hanging, signal: stop }))).toMatch(/^cancelled/);
    expect(await refused(importInChild(job, { entry: hanging, signal: AbortSignal.abort() }))).toMatch(/^cancelled/);
  });
});
