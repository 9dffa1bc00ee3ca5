import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { describe, expect, it } from 'vitest';
import type { Evaluation } from '../../evaluate/evaluation.js';
import { main } from '../../evaluate/main.js';
import { root, temporaryFolder, tinyPool, until } from './support.js';

/** Made-up documents with enough kinds and regions for every part of the report. */
function corpora(documents: number): string {
  const folder = temporaryFolder();
  const write = (file: string, of: (i: number) => [string, string]) => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    const lines = Array.from({ length: documents }, (_, i) => {
      const [name, text] = of(i);
      return `${JSON.stringify({ text, package: 'made:up@1', path: name })}\n`;
    });
    writeFileSync(path.join(folder, file), lines.join(''));
  };
  write('heldout/markdown.jsonl', (i) => [`${i}.md`, `# ${i}\n\nGeese 🪿.\n\n\`\`\`js\nlet a = ${i};\n\`\`\`\n`]);
  write('heldout/vue.jsonl', (i) => [`${i}.vue`, `<p>${i}</p>\n<script>\nlet a;\n</script>\n<style>p{}</style>\n`]);
  write('alpha/test.jsonl', (i) => [`${i}.txt`, `alpha beta ${i}`]);
  return folder;
}

const never = new AbortController().signal;

function command(corpus: string, documents: number) {
  const out = temporaryFolder();
  const given = [
    '--pool',
    tinyPool,
    '--corpora',
    corpus,
    '--documents',
    String(documents),
    '--tokens',
    '60',
    '--own',
    String(documents),
  ];
  const folders = ['--out', out, '--figures', path.join(out, 'figures'), '--cache', path.join(out, 'cache')];
  return {
    args: [...given, ...folders, '--threads', '1'],
    read: () => ({
      data: JSON.parse(readFileSync(path.join(out, 'evaluation.json'), 'utf8')) as Evaluation,
      markdown: readFileSync(path.join(out, 'EVALUATION.md'), 'utf8'),
    }),
    measured: () => {
      const folder = path.join(out, 'cache/evaluate');
      const file = existsSync(folder) ? readdirSync(folder)[0] : undefined;
      const content = file ? readFileSync(path.join(folder, file), 'utf8') : '';
      return content.split('\n').slice(0, -1); // whole lines
    },
    out,
  };
}

describe('npm run evaluate', () => {
  it('measures every strategy of the tiny pool and reports it', async () => {
    const { args, read, measured, out } = command(corpora(5), 5);
    expect(await main(args, never)).toBe(0);
    const { data, markdown } = read();
    const { done, total } = data.work;
    expect(done).toBe(total);
    expect(markdown).not.toMatch(/Partial|NaN|undefined/);
    const [heldout, own] = data.sections;
    const bits = (key: string) => heldout!.rows.find((row) => row.key === key)!.overall!.bitsPerByte;
    const singles = data.pool.experts.map((id) => bits(`single:${id}`));
    expect(bits('best-individual')).toBe(Math.min(...singles));
    expect(bits('oracle-kind')).toBeLessThanOrEqual(bits('best-individual'));
    expect(bits('oracle-document')).toBeLessThanOrEqual(bits('oracle-kind'));
    expect(heldout!.rows.every((row) => row.overall!.documents === 10)).toBe(true);
    expect(own!.kinds).toEqual(['alpha']);
    expect(heldout!.explanation!.kinds[0]!.regions.map((r) => r.name)).toEqual(['code fence', 'prose']);
    expect(readdirSync(path.join(out, 'figures'))).toHaveLength(3);

    // Again: nothing is measured twice, and only the date changes.
    const lines = measured().length;
    expect(await main(args, never)).toBe(0);
    expect(measured()).toHaveLength(lines);
    expect({ ...read().data, created: '' }).toEqual({ ...data, created: '' });
  });

  it('keeps its results when interrupted, and says that they are partial', async () => {
    const { args, read, measured } = command(corpora(200), 200);
    const outfile = path.join(root, `node_modules/.cache/gander-test/evaluate-${process.pid}.cjs`);
    buildSync({
      stdin: { contents: "import { start } from './evaluate/main.ts'; void start();", resolveDir: root },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      external: ['onnxruntime-node', 'tokenizers'],
      outfile,
      logLevel: 'error',
    });
    const child = spawn(process.execPath, [outfile, ...args], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const closed = new Promise((resolve) => child.once('close', resolve));
    await until(() => measured().length >= 5, 50_000);
    child.kill('SIGINT');
    const code = await closed;
    rmSync(outfile);
    expect(said).toContain('Stopping; results so far are kept');
    expect(code).toBe(130);
    const { data, markdown } = read();
    const { done, total } = data.work;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(total);
    expect(markdown).toContain('Partial run');
    for (const line of measured()) expect(() => JSON.parse(line) as unknown).not.toThrow();

    expect(await main([...args, '--report'], never)).toBe(0);
    expect(read().data.work).toEqual({ done, total });
  });

  it('says what is wrong in one line', async () => {
    const { args } = command(temporaryFolder(), 5);
    await expect(main(args, never)).rejects.toThrow('no held-out documents');
    await expect(main([...args, '--strategies', 'best'], never)).rejects.toThrow('not a strategy');
  });
});
