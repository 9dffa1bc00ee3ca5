/** A trace as one HTML file that needs nothing else: text coloured by leading expert, tables, no script. */
import { escapeHtml } from '../shared/html.js';
import { type Colour, expertStyle } from '../shared/palette.js';
import { certaintyByLayer } from './distribution.js';
import { layersOf } from './access.js';
import { decimal, interventionText, percent, strategyText, visible } from './label.js';
import { summarise, type Summary, type TokenSummary } from './summary.js';
import type { Trace } from './trace.js';

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
.text { font: 15px/2 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.text span { border-bottom-width: 3px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th.l, td.l { text-align: left; }
td code { white-space: pre; }
.bar { display: inline-block; height: .7rem; vertical-align: baseline; }
.key { display: inline-block; min-width: 1.4em; padding: 0 .2em; border-radius: 3px; text-align: center; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1.5rem; overflow-wrap: anywhere; }
figure { margin: 0; }
figure svg { display: block; max-width: 100%; height: auto; }
dt { font-weight: 600; } dd { margin: 0; }
`;

/** The palette's patterns as lines under text: colour is not the only sign. */
const lines = { solid: 'solid', rising: 'dashed', dots: 'dotted', cross: 'double' } as const;

/** Two classes an expert: `e3` underlines text, `k3` fills labels and bars. */
function expertCss(trace: Trace): string {
  const rules = (of: 'light' | 'dark') =>
    trace.experts
      .map((_, e) => {
        const { [of]: colour, pattern } = expertStyle(e);
        const { fill, ink }: Colour = colour;
        return `.e${e} { border-color: ${fill}; border-bottom-style: ${lines[pattern]}; } .k${e} { background: ${fill}; color: ${ink}; }`;
      })
      .join('\n');
  return `${rules('light')}\n@media (prefers-color-scheme: dark) {\n${rules('dark')}\n}`;
}

/** @param grid a picture of the grid, as SVG: markup that the caller has made itself */
export function traceHtml(trace: Trace, grid?: string): string {
  const summary = summarise(trace);
  const title = `Routing of ${JSON.stringify(trace.text.slice(0, 60))}`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}${expertCss(trace)}</style>
</head>
<body>
<h1>Gander</h1>
${facts(trace, summary)}
<h2>Text</h2>
<p class="text">${text(trace, summary.tokens)}</p>
${grid === undefined ? '' : `<h2>Grid</h2>\n<figure>${grid}<figcaption>As it was seen in the panel.</figcaption></figure>\n`}<h2>Experts</h2>
${usageTable(trace, summary)}
<h2>Layers</h2>
${layerTable(trace)}
<h2>Tokens</h2>
${tokenTable(trace, summary.tokens)}
</body>
</html>
`;
}

function facts(trace: Trace, { textTokens, smallSample, meanLogProb, load, chanceLoad }: Summary): string {
  const few = smallSample ? ' (few: shares are uncertain, see the intervals)' : '';
  const lines: [string, string][] = [
    ['Pool', `${trace.pool.name} (${trace.pool.hash})`],
    ['Strategy', strategyText(trace.strategy)],
    ...trace.interventions.map((i): [string, string] => ['What if', interventionText(i)]),
    ['Tokens', `${textTokens}${few}`],
    ['Mean log-probability', decimal(meanLogProb)],
    [
      'Load',
      `CV ${decimal(load.cv)} (chance ${decimal(chanceLoad.cv)}), ${decimal(load.effective, 1)} effective experts`,
    ],
    ['Created', trace.created],
  ];
  return `<dl>${lines.map(([term, what]) => `<dt>${term}</dt><dd>${escapeHtml(what)}</dd>`).join('\n')}</dl>`;
}

function keyOf(trace: Trace, e: number): string {
  return `<span class="key k${e}">${expertStyle(e).letter}</span> ${escapeHtml(trace.experts[e]!.name)}`;
}

/** The text as it is, each token's own characters underlined in its leading expert's colour. */
function text(trace: Trace, tokens: readonly TokenSummary[]): string {
  let html = '';
  let at = 0;
  for (const token of tokens) {
    if (token.special) continue;
    html += escapeHtml(trace.text.slice(at, token.start));
    // Tokens may share a character: the bytes of an emoji.
    const own = trace.text.slice(Math.max(at, token.start), token.end);
    at = Math.max(at, token.end);
    const lead = token.experts[0];
    if (!own) continue;
    const tip = lead
      ? `${expertStyle(lead.index).letter} ${trace.experts[lead.index]!.name} ${percent(lead.share)}`
      : '';
    html += lead
      ? `<span class="e${lead.index}" title="${escapeHtml(tip)}">${escapeHtml(own)}</span>`
      : escapeHtml(own);
  }
  return html + escapeHtml(trace.text.slice(at));
}

function table(head: readonly string[], left: number, rows: readonly (readonly string[])[]): string {
  const align = (i: number) => (i < left ? ' class="l"' : '');
  const cells = (tag: string, row: readonly string[]) => row.map((c, i) => `<${tag}${align(i)}>${c}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<table>\n<thead><tr>${cells('th', head)}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>`;
}

function usageTable(trace: Trace, { experts }: Summary): string {
  const most = Math.max(...experts.map((e) => e.share), Number.MIN_VALUE);
  const rows = [...experts]
    .sort((a, b) => b.share - a.share || a.index - b.index)
    .map((e) => [
      keyOf(trace, e.index),
      `<span class="bar k${e.index}" style="width: ${((12 * e.share) / most).toFixed(2)}rem"></span>`,
      percent(e.share),
      `${percent(e.interval.low)} to ${percent(e.interval.high)}`,
      percent(e.chance),
    ]);
  return table(['expert', '', 'share of choices', '95 % interval', 'chance'], 2, rows);
}

function layerTable(trace: Trace): string {
  const { entropy, margin } = certaintyByLayer(trace);
  const rows = layersOf(trace).map((layer, i) => [String(layer), decimal(entropy[i]!), decimal(margin[i]!, 3)]);
  return table(['layer', 'entropy (chance 1)', 'margin'], 0, rows);
}

function tokenTable(trace: Trace, tokens: readonly TokenSummary[]): string {
  const rows = tokens.map((token) => [
    `<code>${escapeHtml(visible(token.text))}</code>`,
    token.experts
      .slice(0, 3)
      .map((e) => `${keyOf(trace, e.index)} ${percent(e.share)}`)
      .join(', ') || '–',
    String(token.index),
    decimal(token.logProb),
    decimal(token.entropy),
    decimal(token.margin, 3),
  ]);
  return table(['token', 'leading experts', '#', 'log p', 'entropy', 'margin'], 2, rows);
}
