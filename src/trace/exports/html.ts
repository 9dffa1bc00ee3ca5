/** A trace as one self-contained HTML file: the text coloured by leading expert, tables, no script. */
import { escapeHtml } from '../../formats/html.js';
import { type Colour, expertStyle, quiet } from '../../look/palette.js';
import { labelledName, shortLabelsOf } from '../../look/shortLabels.js';
import { decimal, interventionText, layerText, percent, routerText, shown, visible } from '../text/label.js';
import {
  type ExpertsSummary,
  layerExpertsNote,
  summaries,
  type Summary,
  type TokenSummary,
} from '../figures/summary.js';
import { byUse, certaintyCells, certaintyHead, usageCells, usageHead } from './tables.js';
import type { Trace } from '../model/trace.js';

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
figure { margin: 0; overflow-x: auto; }
figure svg { display: block; }
dt { font-weight: 600; } dd { margin: 0; }
`;

/** The palette's patterns as underlines, so that colour is not the only sign. */
const lines = { solid: 'solid', rising: 'dashed', dots: 'dotted', cross: 'double' } as const;

/** One grey for all experts without a colour of their own, visible on light and dark. */
const others: Colour = { fill: '#8c8c8c', ink: '#000000' };

const nameOf = (slot: number) => (slot === quiet ? 'o' : String(slot));

/** Text from any source, without markup, and without control or direction marks, raw or as references. */
const safe = (text: string) => escapeHtml(shown(text));

/** Two classes per colour: `e3` underlines text, `k3` fills labels and bars; `eo` and `ko` are those of all other experts. */
function coloursCss(slots: ReadonlySet<number>): string {
  const rules = (of: 'light' | 'dark') =>
    Array.from(slots, (slot) => {
      const { fill, ink } = slot === quiet ? others : expertStyle(slot)[of];
      const line = slot === quiet ? 'solid; border-bottom-width: 1px' : lines[expertStyle(slot).pattern];
      const name = nameOf(slot);
      return `.text .e${name} { border-color: ${fill}; border-bottom-style: ${line}; } .k${name} { background: ${fill}; color: ${ink}; }`;
    }).join('\n');
  return `${rules('light')}\n@media (prefers-color-scheme: dark) {\n${rules('dark')}\n}`;
}

/** What a caller that can draw adds to the file. */
export interface Drawn {
  /** A picture of the grid, as markup made by the caller. */
  readonly svg: string;
  /** What the picture shows. */
  readonly caption: string;
  /** The strategy's name, as people know it. */
  readonly strategy: string;
}

export function traceHtml(trace: Trace, drawn?: Drawn): string {
  const all = summaries(trace);
  const title = `Routing of ${JSON.stringify((trace.sequences[0]!.text ?? trace.source.name).slice(0, 60))}`;
  const slots = new Set(all.flatMap(({ shared }) => (shared ? [...shared.slots] : [])));
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${safe(title)}</title>
<style>${style}${coloursCss(slots)}</style>
</head>
<body>
<h1>Gander</h1>
${facts(trace, all, drawn?.strategy)}
${all.map(textHtml).join('\n')}
${drawn ? `<h2>Grid</h2>\n<figure>${drawn.svg}<figcaption>${safe(drawn.caption)}</figcaption></figure>\n` : ''}${all.map(tables).join('\n')}
</body>
</html>
`;
}

/** Names the sequence in a heading, if a trace has several. */
const of = ({ sequence }: Summary, all: readonly Summary[]) => (all.length > 1 ? ` (${sequence.role})` : '');

function textHtml(summary: Summary, _: number, all: readonly Summary[]): string {
  return `<h2>Text${of(summary, all)}</h2>\n${legend(summary)}<p class="text">${text(summary)}</p>`;
}

/** The experts that lead a token, to explain the underlines. */
function legend({ shared, tokens }: Summary): string {
  if (!shared) return '';
  const leaders = new Set(tokens.flatMap(({ experts }) => experts?.[0]?.index ?? []));
  return `<p class="legend">${[...leaders]
    .sort((a, b) => a - b)
    .map((e) => keyOf(shared, e))
    .join(' &nbsp; ')}</p>\n`;
}

function tables(summary: Summary, _: number, all: readonly Summary[]): string {
  const { shared } = summary;
  const named = of(summary, all);
  return `<h2>Experts${named}</h2>
${shared ? usageTable(shared) : `<p>${layerExpertsNote}</p>`}
<h2>Layers${named}</h2>
${layerTable(summary)}
<h2>Tokens${named}</h2>
${tokenTable(summary)}`;
}

function facts(trace: Trace, all: readonly Summary[], strategy: string | undefined): string {
  const { source, router, interventions, created } = trace;
  const facts: [string, string][] = [
    ['Source', source.hash === undefined ? source.name : `${source.name} (${source.hash})`],
    ['Strategy', strategy ? `${strategy} (${routerText(router)})` : routerText(router)],
    ...interventions.map((i): [string, string] => ['What-if', interventionText(i)]),
    ...all.flatMap((summary) => figures(summary, of(summary, all))),
    ['Created', created],
  ];
  return `<dl>${facts.map(([term, what]) => `<dt>${term}</dt><dd>${safe(what)}</dd>`).join('\n')}</dl>`;
}

function figures(summary: Summary, named: string): [string, string][] {
  const { textTokens, smallSample, meanLogProb, shared, absent } = summary;
  const few = smallSample ? ' (few: shares are uncertain, see the intervals)' : '';
  const figures: [string, string][] = [
    [`Tokens${named}`, `${textTokens}${few}`],
    [`Mean log-probability${named}`, decimal(meanLogProb)],
  ];
  if (shared) {
    const { load, chanceLoad } = shared;
    const cv = `CV ${decimal(load.cv)} (chance ${decimal(chanceLoad.cv)})`;
    figures.push([`Load${named}`, `${cv}, effective number of experts ${decimal(load.effective, 1)}`]);
  }
  if (absent.length > 0) figures.push([`Not given by the source${named}`, absent.join(', ')]);
  return figures;
}

function keyOf({ experts, slots }: ExpertsSummary, e: number): string {
  return `<span class="key k${nameOf(slots[e]!)}">${shortLabelsOf(experts)[e]!}</span> ${safe(experts[e]!.name)}`;
}

/** The original text, with each token's characters underlined in its leading expert's colour. */
function text({ sequence, tokens, shared }: Summary): string {
  const whole = sequence.text;
  // Without offsets into a text, the tokens are all there is to show.
  if (whole === undefined || !sequence.tokens.start)
    return tokens.map((token) => marked(shared, token, sequence.tokens.text ? token.text : `${token.text} `)).join('');
  let html = '';
  let at = 0;
  for (const token of tokens) {
    if (token.start < 0) continue;
    html += safe(whole.slice(at, token.start));
    // Tokens may share a character, such as the bytes of an emoji.
    html += marked(shared, token, whole.slice(Math.max(at, token.start), token.end));
    at = Math.max(at, token.end);
  }
  return html + safe(whole.slice(at));
}

function marked(shared: ExpertsSummary | undefined, { experts }: TokenSummary, own: string): string {
  const lead = experts?.[0];
  if (!own || !shared || !lead) return safe(own);
  const tip = `${labelledName(shared.experts, lead.index)} ${percent(lead.share)}`;
  return `<span class="e${nameOf(shared.slots[lead.index]!)}" title="${safe(tip)}">${safe(own)}</span>`;
}

function table(head: readonly string[], left: number, rows: readonly (readonly string[])[]): string {
  const align = (i: number) => (i < left ? ' class="l"' : '');
  const cells = (tag: string, row: readonly string[]) => row.map((c, i) => `<${tag}${align(i)}>${c}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<table>\n<thead><tr>${cells('th', head)}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>`;
}

function usageTable(shared: ExpertsSummary): string {
  const most = Math.max(...shared.experts.map((e) => e.share), Number.MIN_VALUE);
  const rows = byUse(shared).map((e) => [
    keyOf(shared, e.index),
    `<span class="bar k${nameOf(shared.slots[e.index]!)}" style="width: ${((12 * e.share) / most).toFixed(2)}rem"></span>`,
    ...usageCells(e),
  ]);
  return table(['expert', '', ...usageHead], 2, rows);
}

function layerTable({ layers, shared }: Summary): string {
  const rows = layers.map((layer) => [
    layerText(layer),
    decimal(layer.entropy),
    decimal(layer.margin, 3),
    ...(shared ? [] : [decimal(layer.load?.effective ?? NaN, 1), decimal(layer.chanceLoad?.effective ?? NaN, 1)]),
  ]);
  const own = shared ? [] : ['effective number of experts', 'chance'];
  return table(['layer', 'entropy (chance 1)', 'margin', ...own], 0, rows);
}

function tokenTable({ tokens, shared }: Summary): string {
  const rows = tokens.map((token) => [
    `<code>${safe(visible(token.text))}</code>`,
    ...(shared ? [leading(shared, token)] : []),
    String(token.index),
    ...certaintyCells(token),
  ]);
  return table(['token', ...(shared ? ['leading experts'] : []), '#', ...certaintyHead], shared ? 2 : 1, rows);
}

const leading = (shared: ExpertsSummary, { experts }: TokenSummary) =>
  (experts ?? [])
    .slice(0, 3)
    .map((e) => `${keyOf(shared, e.index)} ${percent(e.share)}`)
    .join(', ') || '–';
