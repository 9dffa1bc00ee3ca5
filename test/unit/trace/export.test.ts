import { describe, expect, it } from 'vitest';
import { quiet } from '../../../src/look/palette.js';
import { cellLines, csvText, tokenLines } from '../../../src/trace/exports/csv.js';
import { traceHtml } from '../../../src/trace/exports/html.js';
import { ranked, tokenShares } from '../../../src/trace/figures/leaders.js';
import { plain, visible } from '../../../src/trace/text/label.js';
import { markdownCode, markdownText, traceMarkdown } from '../../../src/trace/exports/markdown.js';
import { summarise } from '../../../src/trace/figures/summary.js';
import { blockOf, fabricate, fabricateIds, sharedOf, textOf, withText } from './fabricate.js';

const toCsv = (...of: Parameters<typeof cellLines>) => [...cellLines(...of)].join('');

/** A strict RFC 4180 parser. */
function parseCsv(csv: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/y;
  for (let at = 0; at < csv.length; at = cell.lastIndex) {
    cell.lastIndex = at;
    const match = cell.exec(csv);
    if (!match) throw new Error(`no cell at ${at}`);
    row.push(match[1]!.startsWith('"') ? match[1]!.slice(1, -1).replaceAll('""', '"') : match[1]!);
    if (match[2] === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

const nasty = [
  '=1+1',
  '+a',
  '-b',
  '@c',
  '\t',
  '\n',
  '"',
  ',',
  '|',
  '`',
  '<script>',
  '</p>',
  '&amp;',
  '\u001b[31m',
  '😀',
  '\u202e',
];

/** Replaces control and direction marks with dots, as exports do. */
const harmless = (text: string) => text.replaceAll('\u001b', '·').replaceAll('\u202e', '·');

/** Marks that no export may contain; tabs and line ends are parts of tables and texts. */
const marks = /(?![\t\n])\p{Cc}|\p{Bidi_Control}/u;

it('no export contains a mark that moves or hides text', () => {
  const tokens = [...nasty, 'a\r\n', '\u0000', '\u009b31m', '\u2067', '👩‍🚀'];
  const base = fabricate({ tokens });
  const trace = {
    ...base,
    source: { ...base.source, name: 'pool\u001b]0;title\u0007' },
    expertSets: base.expertSets.map((set) => ({
      ...set,
      experts: set.experts.map(({ id }) => ({ id, name: `${id}\u001b[2J\u202e` })),
    })),
    modules: base.modules.map((module) => ({ ...module, path: `${module.path}\u0008` })),
  };
  for (const written of [
    toCsv(trace).replaceAll('\r\n', '\n'),
    [...tokenLines(trace)].join('').replaceAll('\r\n', '\n'),
    traceHtml(trace),
  ]) {
    expect(marks.exec(written)).toBeNull();
    expect(written).toContain('👩‍🚀');
    expect(written).toContain('a\n');
  }
});

describe('CSV', () => {
  it('has a row for each token, site and choice', () => {
    const trace = fabricate({ tokens: ['<|s|>', 'a', 'b'], layers: 1, kinds: ['q', 'o'] });
    const rows = parseCsv(toCsv(trace));
    expect(rows.length).toBe(1 + 3 * 2 * 2);
    expect(new Set(rows.map((r) => r.length)).size).toBe(1);
    const record = Object.fromEntries(rows[0]!.map((name, i) => [name, rows.at(-1)![i]!]));
    expect(record).toMatchObject({
      token: '2',
      text: 'b',
      module: 'model.layers.0.o',
      layer: '0',
      kind: 'o',
      rank: '2',
    });
    expect(Number(record['weight'])).toBeCloseTo(blockOf(trace).weight!.at(-1)!, 6);
    expect(rows[1]![rows[0]!.indexOf('log_prob')]).toBe('');
    expect(rows[1]![rows[0]!.indexOf('special')]).toBe('1');
    expect(parseCsv(toCsv(trace, { kind: 'o' })).length).toBe(1 + 3 * 2);
  });

  it('has a row per token if asked to, with the leading experts', () => {
    const trace = fabricate({ tokens: ['<|s|>', 'a', '=b'] });
    const rows = parseCsv([...tokenLines(trace)].join(''));
    expect(rows).toHaveLength(1 + 3);
    const record = Object.fromEntries(rows[0]!.map((name, i) => [name, rows[3]![i]!]));
    const modules = sharedOf(trace);
    const shares = tokenShares(trace, modules, 2);
    const [first] = ranked(shares);
    expect(record).toMatchObject({ token: '2', text: "'=b", expert: modules.experts[first!]!.id, sequence: 'text' });
    expect(Number(record['share'])).toBeCloseTo(shares[first!]!, 6);
    expect(Number(record['log_prob'])).toBeCloseTo(textOf(trace).logProb![2]!, 5);
    // No expert leads if each layer has its own.
    const ids = parseCsv([...tokenLines(fabricateIds())].join(''));
    expect(ids).toHaveLength(1 + 6 + 4);
    expect(ids.slice(1).every((row) => row[rows[0]!.indexOf('expert')] === '')).toBe(true);
  });

  it('keeps any token whole, and no cell is a formula', () => {
    const trace = fabricate({ tokens: nasty, layers: 1, kinds: ['q'], k: 1 });
    const rows = parseCsv(toCsv(trace)).slice(1);
    rows.forEach((row, i) => {
      expect(row[2]!.replace(/^'/, '')).toBe(harmless(nasty[i]!));
      expect(row[2]).not.toMatch(/^[=+\-@\t\r\n]/);
    });
    expect(csvText('＝1')).toBe('"\'＝1"');
  });

  it('has one row for a cell without a choice', () => {
    const trace = fabricate({ tokens: ['a', 'b'], layers: 1, kinds: ['q'], router: { name: 'base' } });
    blockOf(trace).chosen.fill(-1);
    expect(parseCsv(toCsv(trace)).length).toBe(3);
    expect(parseCsv(toCsv(fabricate({ tokens: [] }))).length).toBe(1);
  });
});

describe('a trace of a source that knows only ids', () => {
  const trace = fabricateIds();
  const head = parseCsv(toCsv(trace))[0]!;

  it('has a row for each choice of each sequence, with empty cells for the unknown', () => {
    const rows = parseCsv(toCsv(trace))
      .slice(1)
      .map((row) => Object.fromEntries(head.map((name, i) => [name, row[i]!])));
    // The last of the output's four tokens has one row per module, without an expert.
    expect(rows.length).toBe(4 * (6 * 8 + 3 * 8 + 1));
    expect(rows[0]).toMatchObject({ token: '0', id: '100', text: '#100', start: '', log_prob: '', sequence: 'input' });
    expect(rows[0]).toMatchObject({ stack: 'encoder', layer: '2', router_logit: '', weight: '', entropy: '' });
    expect(rows.at(-1)).toMatchObject({ token: '3', sequence: 'output', stack: 'decoder', rank: '', expert: '' });
    expect(parseCsv(toCsv(trace, { sequence: 1, layer: 3 })).length).toBe(1 + 3 * 8 + 1);
  });

  it('is summed within layers, never over layers', () => {
    const s = summarise(trace, { sequence: 1 });
    expect(s.shared).toBeUndefined();
    expect(s.tokens.every((token) => !('experts' in token) && Number.isNaN(token.entropy))).toBe(true);
    expect(s.layers.map(({ stack, layer }) => `${stack} ${layer}`)).toEqual([2, 3, 4, 5].map((l) => `decoder ${l}`));
    expect(s.layers[0]!.load!.dead.length).toBeGreaterThan(256 - 3 * 8 - 1);
    expect(s.absent).toEqual(['text', 'weights', 'router logits', 'contributions', 'log-probabilities', 'predictions']);
    // The experts of a single layer may be counted.
    expect(summarise(trace, { sequence: 1, layer: 3 }).shared).toMatchObject({ choices: 3 * 8, measure: 'choice' });
  });

  it('is complete in Markdown and HTML, which name what is absent', () => {
    for (const text of [traceMarkdown(trace), traceHtml(trace)]) {
      expect(text).toContain('Each layer has experts of its own');
      expect(text).toContain('weights, router logits, contributions');
      expect(text).not.toContain('leading experts');
      expect(text).not.toMatch(/NaN|undefined|0\.0 %/);
    }
  });
});

describe('Markdown', () => {
  it('keeps its tables whole whatever the tokens are', () => {
    const trace = fabricate({ tokens: nasty, layers: 1 });
    for (const block of traceMarkdown(trace)
      .split('\n\n')
      .filter((part) => part.startsWith('|'))) {
      const counts = block.split('\n').map((line) => line.replaceAll('\\|', '').split('|').length);
      expect(new Set(counts).size).toBe(1);
    }
  });

  it('fences a text of very many backticks', () => {
    expect(markdownCode('` '.repeat(500_000) + '``')).toMatch(/^``` ` /);
  });

  it('escapes', () => {
    expect(markdownText('a|b<i>*c*')).toBe('a\\|b\\<i\\>\\*c\\*');
    expect(markdownCode('`x``')).toBe('``` `x`` ```');
    expect(markdownCode('a')).toBe('`a`');
  });

  it('warns of few tokens', () => {
    expect(traceMarkdown(fabricate())).toContain('few');
    const many = fabricate({ tokens: Array.from({ length: 40 }, (_, i) => `t${i}`), layers: 1, kinds: ['q'] });
    expect(traceMarkdown(many)).not.toContain('few');
  });
});

describe('HTML', () => {
  it('has no markup but its own, and loads nothing', () => {
    const html = traceHtml(fabricate({ tokens: nasty }));
    expect(html).not.toMatch(/<script|<\/p><|<img|\son\w+=|src=|href=|url\(/);
    expect(html).toContain("default-src 'none'");
    expect(html).toContain('&#60;script&#62;');
    const opened = [...html.matchAll(/<(span|table|tr|td|p)\b/g)].length;
    expect([...html.matchAll(/<\/(span|table|tr|td|p)>/g)].length).toBe(opened);
  });

  it('gives each colour once: with more experts than colours, the most used have one, and all others are grey', () => {
    const trace = fabricate({ experts: 40, k: 4, tokens: Array.from({ length: 60 }, (_, i) => `t${i}`) });
    const html = traceHtml(trace);
    const { slots, experts } = summarise(trace).shared!;
    const classes = new Map(
      [...html.matchAll(/class="key k(\w+)">(\w+)</g)].map(([, look, letter]) => [letter!, look!]),
    );
    expect(classes.size).toBe(40);
    expect([...classes.values()].filter((look) => look === 'o')).toHaveLength(25);
    expect(new Set(classes.values()).size).toBe(16);
    const coloured = experts.filter((e) => slots[e.index] !== quiet).map((e) => e.share);
    const grey = experts.filter((e) => slots[e.index] === quiet).map((e) => e.share);
    expect(Math.min(...coloured)).toBeGreaterThanOrEqual(Math.max(...grey));
    // Each class has a rule, and no two rules are the same.
    const light = html.slice(html.indexOf('<style>'), html.indexOf('@media'));
    const rules = [...light.matchAll(/\.k(\w+) \{ background: (#\w+)/g)];
    expect(rules.map(([, look]) => look).sort()).toEqual([...new Set(classes.values())].sort());
    expect(new Set(rules.map(([, , fill]) => fill)).size).toBe(16);
    const underlined = [...html.matchAll(/<span class="e(\w+)"/g)].map(([, look]) => look);
    expect(underlined).toHaveLength(60);
    expect(underlined).toContain('o');
  });

  it('colours nothing if each layer has its own experts', () => {
    expect(traceHtml(fabricateIds())).not.toMatch(/class="(key|bar|e\w+)/);
  });

  it('shows the given picture of the grid, and no gap without one', () => {
    const picture = '<svg><title>grid</title></svg>';
    const html = traceHtml(fabricate(), { svg: picture, caption: 'All of <it>.', strategy: 'Top & two' });
    expect(html).toContain(`<figure>${picture}<figcaption>All of &#60;it`);
    expect(html).toContain('<dd>Top &#38; two (');
    // The legend is above the text.
    expect(html.indexOf('class="legend"')).toBeGreaterThan(0);
    expect(html.indexOf('class="legend"')).toBeLessThan(html.indexOf('<p class="text">'));
    expect(traceHtml(fabricate())).not.toContain('<figure>');
  });

  it('shows all of the text once, shared characters and gaps included', () => {
    const trace = fabricate({ tokens: ['a', 'b', '😀', 'c'], layers: 1 });
    // Two tokens for the bytes of the emoji, and a character that no token covers.
    textOf(trace).tokens.start!.set([0, 2, 2, 4]);
    textOf(trace).tokens.end!.set([1, 4, 4, 5]);
    const gap = withText(trace, { text: 'a <c' + '>' });
    const paragraph = /<p class="text">(.*?)<\/p>/s.exec(traceHtml(gap))![1]!;
    expect(paragraph.replace(/<[^>]*>/g, '')).toBe('a &#60;c&#62;');
  });
});

describe('the summary', () => {
  it('lists special tokens but does not count them', () => {
    const s = summarise(fabricate());
    expect(s.tokens.length).toBe(16);
    expect(s.textTokens).toBe(15);
    expect(s.shared!.choices).toBe(15 * 14 * 2);
    expect(s.shared!.experts.reduce((sum, e) => sum + e.share, 0)).toBeCloseTo(1);
    expect(s.smallSample).toBe(true);
    expect(s.tokens[1]!.experts![0]!.share).toBeGreaterThan(0.2);
  });

  it('of an empty trace is empty', () => {
    expect(summarise(fabricate({ tokens: [] }))).toMatchObject({
      textTokens: 0,
      shared: { choices: 0 },
      meanLogProb: NaN,
    });
    expect(summarise(fabricate({ bare: true })).tokens[2]!.entropy).toBeNaN();
  });
});

describe('one line of text', () => {
  it('makes whitespace visible and removes what would move the cursor', () => {
    expect(visible(' a\tb\r\n')).toBe('␣a→b⏎');
    expect(visible('')).toBe('∅');
    expect([visible('\u00a0'), visible('\ufe0f'), visible('❤\ufe0f')]).toEqual(['U+00A0', 'U+FE0F', '❤\ufe0f']);
    expect(visible('\u001b[2J\u202e\ud800\u200b')).toBe('·[2J···');
    expect(plain('a b\nc 😀')).toBe('a b·c 😀');
  });
});
