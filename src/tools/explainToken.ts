import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { certaintyAt, certaintyOfToken } from '../trace/figures/distribution.js';
import { ranked, tokenShares } from '../trace/figures/leaders.js';
import {
  chosenAt,
  isKnown,
  type Layer,
  layersOf,
  modulesOf,
  type Rows,
  rowsAt,
  sharedModules,
  type SharedModules,
} from '../trace/model/access.js';
import { selectionScores } from '../trace/model/selection.js';
import type { Sequence, Trace } from '../trace/model/trace.js';
import { usage } from '../trace/figures/usage.js';
import { decimal, layerText, percent, plain, tokenText, visible } from '../trace/text/label.js';
import { runInput } from './inputs.js';
import { meaning, type Meant } from './meanings.js';
import { type KeptRun, titleOf } from './runs.js';
import { answer, atMost, code, table, tokenCode, tokenMarks } from './text.js';
import { tool } from './tool.js';

/** The most experts, layers, close choices and other places of the same token that are listed. */
const [mostExperts, mostLayers, closest, mostPlaces] = [6, 64, 5, 10];

/** Tokens of the text that are shown before and after the one asked for. */
const around = 8;

export const explainToken = tool({
  name: 'explain_token',
  title: 'Explain Token',
  description: [
    'Says all that is known about one token of a kept run: which experts it was sent to, over all layers and in each, how nearly another expert would have been chosen, how likely the model found the token and what it expected instead.',
    'Use it after route_text or knock_out_expert, for questions such as “why did this word go to that expert?” or “where was the choice close?”.',
    'Do not use it to see many tokens: route_text lists them. It runs nothing and takes no time.',
  ].join(' '),
  input: z.strictObject({
    run: runInput.describe('The number of a run, from route_text or knock_out_expert.'),
    token: z.int().min(0).optional().describe('The token’s number (# in route_text). Give this or token_text.'),
    token_text: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe(
        'The token’s own text instead, such as "SELECT"; spaces around it do not count. If it occurs several times, the first is explained and the others are named.',
      ),
    layer: z
      .int()
      .min(0)
      .optional()
      .describe('Only the routed modules of this layer, one by one. Default: all layers, a line each.'),
    sequence: z
      .enum(['input', 'output'])
      .optional()
      .describe('Only for an encoder-decoder: which of its two texts the token is in. Default: input.'),
  }),
  async run({ run: id, layer, sequence: role, ...named }, reach) {
    const run = reach.runs.get(id);
    const { trace } = run;
    const at = role === undefined ? 0 : trace.sequences.findIndex((one) => one.role === role);
    const sequence = trace.sequences[at];
    if (!sequence) throw new GanderError('request-invalid', `Run ${id} has no ${String(role)}.`, 'Leave sequence out.');
    const { token, others } = tokenNamed(sequence, named);
    return Promise.resolve(explanation({ run, trace, sequence, at, token }, others, layer));
  },
});

interface Place {
  readonly run: KeptRun;
  readonly trace: Trace;
  readonly sequence: Sequence;
  /** The sequence's index. */
  readonly at: number;
  readonly token: number;
}

function explanation(place: Place, others: readonly number[], layer: number | undefined): string {
  const { run, trace, sequence, at, token } = place;
  const filter = { sequence: at, ...(layer !== undefined && { layer }) };
  if (layer !== undefined && modulesOf(trace, filter).length === 0)
    throw new GanderError(
      'request-invalid',
      `Run ${run.id} has no layer ${layer}.`,
      `Layers: ${layersOf(trace, { sequence: at }).map(layerText).join(', ')}.`,
    );
  const shared = sharedModules(trace, filter);
  const close = closestChoices(place, filter);
  return answer(
    `Token ${token} of ${sequence.done}, ${tokenCode(sequence, token)}, in ${titleOf(run)}.`,
    `Where it is: ${context(sequence, token)}`,
    others.length > 0
      ? `The same text is also at ${others.slice(0, mostPlaces).join(', ')}${others.length > mostPlaces ? `, and ${others.length - mostPlaces} more` : ''}.`
      : undefined,
    expected(sequence, token),
    shared && sharesPart(trace, shared, token, layer),
    ...(layer === undefined ? layersPart(place) : modulesPart(place, layer)),
    close.length > 0
      ? `The closest choices, where the least would have changed the outcome:\n\n${table(['layer, module', 'chosen last', 'best not chosen', 'margin'], close)}`
      : undefined,
    tokenMarks,
    meaning(...meantOf(trace, shared, layer)),
    nextOf(place, shared, layer),
  );
}

function meantOf(trace: Trace, shared: SharedModules | undefined, layer: number | undefined): Meant[] {
  const has = (column: 'weight' | 'contribution') => trace.blocks.some((block) => block[column] !== undefined);
  return [
    ...(shared ? (['share'] as const) : []),
    ...(has('weight') && (layer !== undefined || !shared) ? (['weight'] as const) : []),
    ...(layer !== undefined && has('contribution') ? (['contribution'] as const) : []),
    'margin',
    'entropy',
    'log p',
  ];
}

function nextOf(
  { run, trace, at, token }: Place,
  shared: SharedModules | undefined,
  layer: number | undefined,
): string {
  const [leader] = shared ? ranked(tokenShares(trace, shared, token)) : [];
  const [first] = modulesOf(trace, { sequence: at });
  const rows = first === undefined ? undefined : rowsAt(trace, first);
  const chosen = rows && chosenAt(rows, token)[0];
  const expert =
    leader !== undefined
      ? shared!.experts[leader]!
      : chosen !== undefined && chosen >= 0
        ? rows!.set.experts[chosen]
        : undefined;
  const deeper = layer === undefined ? `layer in this call shows the modules of one layer; ` : '';
  return expert
    ? `Next: ${deeper}knock_out_expert with run ${run.id} and expert ${code(expert.id)} says what the text would be without it; describe_expert says what it does elsewhere.`
    : `Next: ${deeper}route_text with another strategy.`;
}

/** @throws GanderError `request-invalid` */
function tokenNamed(
  sequence: Sequence,
  { token, token_text: said }: { readonly token?: number | undefined; readonly token_text?: string | undefined },
): { readonly token: number; readonly others: readonly number[] } {
  const count = sequence.done;
  if ((token === undefined) === (said === undefined))
    throw new GanderError('request-invalid', 'Name one token.', 'Give token, its number, or token_text.');
  if (token !== undefined) {
    if (token < count) return { token, others: [] };
    throw new GanderError(
      'request-invalid',
      `There is no token ${token}.`,
      `The run has the tokens 0 to ${count - 1}.`,
    );
  }
  const wanted = said!.trim() === '' ? said! : said!.trim();
  const texts = Array.from({ length: count }, (_, t) => tokenText(sequence, t));
  const found = [...texts.keys()].filter((t) => texts[t] === said || texts[t]!.trim() === wanted);
  if (found.length > 0) return { token: found[0]!, others: found.slice(1) };
  const within = [...texts.keys()].filter(
    (t) => texts[t]!.includes(wanted) || (texts[t]!.trim() !== '' && wanted.includes(texts[t]!.trim())),
  );
  const near = within.slice(0, mostPlaces).map((t) => `${t} (${visible(texts[t]!)})`);
  throw new GanderError(
    'request-invalid',
    `No token is exactly "${plain(said!)}": a word may be several tokens.`,
    near.length > 0
      ? `Tokens like it: ${near.join(', ')}. Give token.`
      : 'Give the number of a token that route_text lists.',
  );
}

function context(sequence: Sequence, token: number): string {
  const part = (from: number, to: number) =>
    Array.from({ length: Math.max(0, to - from) }, (_, i) => tokenText(sequence, from + i)).join('');
  const [from, to] = [Math.max(0, token - around), Math.min(sequence.done, token + 1 + around)];
  return code(
    `${from > 0 ? '…' : ''}${visible(part(from, token)).replace('∅', '')}[${visible(tokenText(sequence, token))}]${visible(part(token + 1, to)).replace('∅', '')}${to < sequence.done ? '…' : ''}`,
  );
}

/** How likely it was, and what the model expected in its place and after it. */
function expected(sequence: Sequence, token: number): string | undefined {
  const { logProb } = sequence;
  const p = logProb?.[token] ?? NaN;
  const lines = [
    Number.isNaN(p)
      ? undefined
      : `log p ${decimal(p)}: the model gave this token a probability of ${percent(Math.exp(p))}.`,
    token > 0 ? predicted(sequence, token - 1, 'Likeliest in its place') : undefined,
    predicted(sequence, token, 'Likeliest after it'),
  ].filter((line) => line !== undefined);
  return lines.length > 0 ? lines.join(' ') : undefined;
}

function predicted(
  { predictions, topTokens, topLogProb, topIds }: Sequence,
  t: number,
  what: string,
): string | undefined {
  if (!topIds || !topTokens) return undefined;
  const each = Array.from({ length: Math.min(5, predictions) }, (_, i) => t * predictions + i)
    .filter((i) => topIds[i]! >= 0)
    .map((i) => `${code(visible(topTokens[i]!))} ${percent(Math.exp(topLogProb?.[i] ?? NaN))}`);
  return each.length > 0 ? `${what}: ${each.join(', ')}.` : undefined;
}

/** Over all modules that share their experts. */
function sharesPart(trace: Trace, shared: SharedModules, token: number, layer: number | undefined): string {
  const shares = tokenShares(trace, shared, token);
  const { shown, said } = atMost(ranked(shares), mostExperts, 'experts', 'The others have smaller shares.');
  const where = layer === undefined ? `all ${shared.modules.length} routed modules` : `layer ${layer}`;
  if (shown.length === 0) return `No expert takes part in ${where}.`;
  const { chance } = usage(trace, shared, [token]);
  const open = chance.filter((x) => x > 0);
  const isSame = open.every((x) => Math.abs(x - open[0]!) < 1e-9);
  const table_ = table(
    ['expert', `share of the weights, ${where}`, ...(isSame ? [] : ['by chance'])],
    shown.map((e) => [code(shared.experts[e]!.id), percent(shares[e]!), ...(isSame ? [] : [percent(chance[e]!)])]),
  );
  const among = open.length < shared.experts.length ? `, among the ${open.length} experts that it could choose` : '';
  const byChance = isSame
    ? `By chance: ${percent(open[0] ?? NaN)}${among}.`
    : 'By chance: even draws from the experts that it could choose at each module.';
  return `${table_}\n\n${byChance}${said ? ` ${said}` : ''}`;
}

/** A line for each layer. */
function layersPart({ trace, at, token }: Place): (string | undefined)[] {
  const { shown, said } = atMost(layersOf(trace, { sequence: at }), mostLayers, 'layers', 'Ask for one by layer.');
  const rows = shown.map((layer) => {
    const modules = modulesOf(trace, { sequence: at, ...layer });
    const [only] = modules;
    // One router to a layer: what it chose says more than shares.
    const chosen =
      modules.length === 1 ? chosenText(rowsAt(trace, only!), token) : leadingText(trace, at, layer, token);
    const { entropy, margin, topKProbability } = certaintyOfToken(trace, token, { sequence: at, ...layer });
    return [layerText(layer), chosen, decimal(entropy), decimal(margin, 3), percent(topKProbability)];
  });
  const one = shown.every((layer) => modulesOf(trace, { sequence: at, ...layer }).length === 1);
  return [
    table(
      [
        'layer',
        one ? 'chosen, weight' : 'leading experts, share in the layer',
        'entropy',
        'margin',
        'top-k probability',
      ],
      rows,
    ),
    said,
  ];
}

function leadingText(trace: Trace, sequence: number, layer: Layer, token: number): string {
  const shared = sharedModules(trace, { sequence, ...layer });
  if (!shared) return '–';
  const shares = tokenShares(trace, shared, token);
  const each = ranked(shares)
    .slice(0, 3)
    .map((e) => `${plain(shared.experts[e]!.id)} ${percent(shares[e]!)}`);
  return each.join(', ') || '–';
}

/** A line for each module of one layer. */
function modulesPart({ trace, at, token }: Place, layer: number): string[] {
  const rows = Array.from(modulesOf(trace, { sequence: at, layer }), (s) => {
    const row = rowsAt(trace, s);
    const { entropy, margin } = certaintyAt(trace, row, token);
    const other = bestNotChosen(row, token);
    return [
      plain([row.module.stack, row.module.kind].filter(Boolean).join(' ')),
      chosenText(row, token),
      contributionText(row, token),
      other === undefined ? '–' : plain(row.set.experts[other]!.id),
      decimal(margin, 3),
      decimal(entropy),
    ];
  });
  return [table(['module', 'chosen, weight', 'contribution', 'best not chosen', 'margin', 'entropy'], rows)];
}

/** `sql 0.61, go 0.39`, the best first. */
function chosenText(rows: Rows, token: number): string {
  return eachChosen(rows, token, rows.weight, (weight) => decimal(weight));
}

function contributionText(rows: Rows, token: number): string {
  return rows.contribution ? eachChosen(rows, token, rows.contribution, percent) : '–';
}

function eachChosen(rows: Rows, token: number, values: Float32Array | undefined, form: (x: number) => string): string {
  if (!isKnown(rows, token)) return 'not known';
  const each = [...chosenAt(rows, token)].flatMap((e, i) => {
    if (e < 0) return [];
    const value = values ? ` ${form(values[token * rows.k + i]!)}` : '';
    return [`${plain(rows.set.experts[e]!.id)}${value}`];
  });
  return each.join(', ') || 'none';
}

/** The expert with the largest score among those that were not chosen. */
function bestNotChosen(rows: Rows, token: number): number | undefined {
  const scores = selectionScores(rows, token);
  if (!scores) return undefined;
  const chosen = chosenAt(rows, token);
  let best: number | undefined;
  scores.forEach((score, e) => {
    if (score > -Infinity && !chosen.includes(e) && (best === undefined || score > scores[best]!)) best = e;
  });
  return best;
}

/** The cells with the smallest margins. */
function closestChoices(
  { trace, token }: Place,
  filter: { readonly sequence: number; readonly layer?: number },
): string[][] {
  return Array.from(modulesOf(trace, filter), (s) => rowsAt(trace, s))
    .map((rows) => ({ rows, margin: certaintyAt(trace, rows, token).margin }))
    .filter(({ margin }) => !Number.isNaN(margin))
    .sort((a, b) => a.margin - b.margin)
    .slice(0, closest)
    .flatMap(({ rows, margin }) => {
      const last = [...chosenAt(rows, token)].filter((e) => e >= 0).at(-1);
      const other = bestNotChosen(rows, token);
      if (last === undefined || other === undefined) return [];
      const { stack, layer, kind } = rows.module;
      const where = [layerText({ layer, ...(stack && { stack }) }), kind].join(' ');
      return [[plain(where), code(rows.set.experts[last]!.id), code(rows.set.experts[other]!.id), decimal(margin, 3)]];
    });
}
