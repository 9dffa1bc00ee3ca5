import { describe, expect, it } from 'vitest';
import { type About, evaluate } from '../../../evaluate/evaluation.js';
import { figures } from '../../../evaluate/figures.js';
import { report } from '../../../evaluate/report.js';
import { Results } from '../../../evaluate/results.js';
import { measure, plan } from '../../../evaluate/run.js';
import { choose } from '../../../evaluate/strategies.js';
import { doc, FakeEngine, pool } from './fakes.js';

const about: About = {
  command: 'npm run evaluate -- --pool models/fake',
  created: '2026-02-03T04:05:06Z',
  versions: { gander: '0.1.0', node: '20.0.0' },
  machine: { cpu: 'A | B', cores: 2, memoryGiB: 8, platform: 'linux-x64' },
  seed: 1,
  documents: 30,
  tokens: 512,
};
const five = [1, 2, 3, 4, 5];
const documents = [
  ...five.map((i) => doc('markdown', `a${i}\n\`\`\`\ncd\n\`\`\`\n`, 'heldout', `${i}.md`)),
  ...five.map((i) => doc('cpp', `x${i}`)),
  doc('a', 'own1', 'own'),
];
const bitsOf = (key: string) =>
  ({ base: 12, 'phatgoose:2': 10, 'phatgoose:1': 10, 'single:a': 9, 'single:b': 15, 'single:c': 16 })[key] ?? 11;

async function evaluated(limit = Infinity, asked?: readonly string[]) {
  const results = new Results(pool.hash);
  const stop = new AbortController();
  const chosen = choose(pool, asked);
  const outcome = await measure(
    new FakeEngine(bitsOf),
    plan(documents, chosen),
    results,
    stop.signal,
    (_task, done) => {
      if (done >= limit) stop.abort();
    },
  );
  return evaluate(about, pool, documents, chosen, results, outcome.failures);
}

const links = [{ name: 'usage', title: 'Use', link: '../figures/usage.svg' }];
const markdown = async (limit?: number, asked?: readonly string[]) =>
  report(await evaluated(limit, asked), links, '../../docs/evaluation.md');

describe('the report', () => {
  it('says how it was made', async () => {
    const text = await markdown();
    expect(text).toContain('`npm run evaluate -- --pool models/fake`');
    expect(text).toContain('Date: 2026-02-03');
    expect(text).toContain('gander 0.1.0, node 20.0.0, onnxruntime 1.0.0');
    expect(text).toContain('cpp (5)');
    expect(text).toContain('![Use](../figures/usage.svg)');
    expect(text).not.toContain('Partial');
    expect(text).not.toContain('NaN');
    expect(text).not.toContain('undefined');
  });

  it('says what the intervals support', async () => {
    const text = await markdown();
    const line = (start: string) => text.split('\n').find((l) => l.startsWith(start));
    expect(text).toContain('**phatgoose, k = 2: 1.000 bits per byte**, the mean of 2 kinds (10 documents)');
    expect(line('- better')).toContain('best individual; oracle, per kind; oracle, per document; 1 single expert');
    expect(line('- worse')).toContain('base; phatgoose, k = 3');
    expect(line('- no clear difference')).toContain('phatgoose, k = 1');
    expect(line('| best individual')).toBe('| best individual (a) | 0.900 | −0.1000 | [−0.1000, −0.1000] | 10 |');
    expect(line('| base |')).toBe('| base | 1.200 | +0.2000 | [+0.2000, +0.2000] | 10 |');
  });

  it('shows use, regions, oracle and entropy', async () => {
    const text = await markdown();
    expect(text).toContain('| markdown | a 100 % [100, 100], b 0.0 %');
    expect(text).toMatch(/\| markdown \| code fence \|/);
    expect(text).toContain('| all | 100 % [100, 100] |');
    expect(text).toContain('Lowest: layer');
    expect(text).toContain('its own expert');
  });

  it('names what the pool lacks', async () => {
    expect(await markdown()).toMatch(/## Not measured\n\n- retrieval: .*\n- jointly trained, k = 2: .*\n- multitask/);
    expect(await markdown(Infinity, ['base', 'merged'])).not.toContain('## Not measured');
  });

  it('labels a partial run, and invents nothing', async () => {
    const text = await markdown(11);
    expect(text).toMatch(/> \*\*Partial run: 11 of \d+ measurements\.\*\*/);
    expect(text).toContain('cpp (1 of 5)');
    expect(text).not.toContain('oracle, per kind');
    expect(text).not.toContain('Against the oracle');
    expect(text).toContain('Nothing was measured yet.'); // the own test splits
    expect(text).not.toContain('NaN');
    expect(text).toContain('no interval, so it shows no difference');
    expect(text).toMatch(/- worse: none/);
    const nothing = await markdown(0);
    expect(nothing).toContain('Partial run: 0 of');
    expect(nothing).not.toContain('| base |');
  });

  it('warns if rows cover different documents', async () => {
    const all = plan(documents, choose(pool)).length;
    const text = await markdown(all - 5 - 8 - 3); // the last held-out document lacks its singles
    expect(text).toContain('Rows cover different numbers of documents');
    expect(await markdown()).not.toContain('Rows cover different');
  });

  it('has as many columns in every row as in its head', async () => {
    const widths = (await markdown())
      .split('\n')
      .map((l) => (l.startsWith('|') ? l.replaceAll('\\|', '').split('|').length : 0));
    widths.forEach((w, i) => {
      if (w > 0 && widths[i - 1]! > 0) expect(w).toBe(widths[i - 1]);
    });
  });

  it('keeps each document’s bits in the data', async () => {
    const { results, work } = await evaluated();
    expect(results).toHaveLength(11);
    expect(results[0]!.bits).toMatchObject({ base: 12, 'single:a': 9 });
    expect(work.done).toBe(work.total);
  });
});

describe('the figures', () => {
  it('are three SVG files, each with a title, a description and both sets of colours', async () => {
    const made = figures(await evaluated());
    expect(made.map((f) => f.name)).toEqual(['difference', 'usage', 'entropy']);
    for (const { svg, title } of made) {
      expect(svg).toContain(`<title>${title}</title>`);
      expect(svg).toContain('prefers-color-scheme:dark');
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      expect(svg.match(/<(\w+)[^>]*[^/]>/g)?.length).toBe(svg.match(/<\/\w+>/g)?.length);
    }
  });

  it('show nothing that was not measured, and say that a run is partial', async () => {
    expect(figures(await evaluated(0))).toEqual([]);
    const partial = figures(await evaluated(5));
    expect(partial.every((f) => f.title.endsWith('(partial run)'))).toBe(true);
  });
});
