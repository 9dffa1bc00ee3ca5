/** What differs between two runs, as compare_runs and knock_out_expert say it. */
import { isCutAlike } from '../trace/alignment/align.js';
import { meanOf } from '../statistics/mean.js';
import type { Consequences } from '../trace/figures/consequences.js';
import { type Difference, difference } from '../trace/figures/difference.js';
import { alignedMeans } from '../trace/figures/logProbs.js';
import { layerExpertsNote } from '../trace/figures/summary.js';
import {
  agreementCells,
  agreementHead,
  loadChangeHead,
  loadChanges,
  tokenChangeHead,
  tokenChanges,
} from '../trace/exports/tables.js';
import type { Trace } from '../trace/model/trace.js';
import { decimal, layerText, percent, signed } from '../trace/text/label.js';
import { words } from '../words/words.js';
import { code, table, tokenCode } from './text.js';

/** The most layers, experts and tokens that are listed: those that differ most. */
const [mostLayers, mostExperts, mostTokens] = [12, 12, 10];

/** Sequence by sequence, as far as both runs have one. */
export function differences(a: Trace, b: Trace): Difference[] {
  return a.sequences.flatMap((_, sequence) => (b.sequences[sequence] ? [difference(a, b, { sequence })] : []));
}

/** @param effect of a what-if, which b has and a has not */
export function differingParts(
  a: Trace,
  b: Trace,
  d: Difference,
  sequence: number,
  effect?: Consequences,
): (string | undefined)[] {
  const [inA, inB] = [a.sequences[sequence]!, b.sequences[sequence]!];
  const same = d.alignment.same.reduce((sum, x) => sum + x, 0);
  return [
    a.sequences.length > 1 ? `## ${inA.role}` : undefined,
    `${same} tokens are the same in both, of ${inA.done} in a and ${inB.done} in b; only these are compared.`,
    isCutAlike(a, b, sequence) === false ? words.compareCut : undefined,
    likelihood(a, b, d, sequence),
    a.router.k !== b.router.k && a.router.k !== undefined && b.router.k !== undefined
      ? `a chooses ${a.router.k} experts for a token and b ${b.router.k}, so every choice counts as flipped: go by the overlap.`
      : undefined,
    d.all.flipped === 0 ? 'Every choice of experts is the same.' : undefined,
    ...layers(d, effect),
    ...loads(d),
    ...tokens(d, inA),
  ];
}

function likelihood(a: Trace, b: Trace, { alignment, predictions }: Difference, sequence: number): string | undefined {
  const { from, to, tokens } = alignedMeans(a.sequences[sequence]!, b.sequences[sequence]!, alignment);
  if (tokens === 0) return undefined;
  const kl = meanOf(predictions);
  const apart = Number.isNaN(kl)
    ? ''
    : ` The predictions of the next token moved by a KL divergence of at least ${decimal(kl, 3)} nats (mean over tokens; 0: not at all).`;
  return `Mean log p over these tokens: ${decimal(from, 3)} in a, ${decimal(to, 3)} in b, ${signed(to - from, 3)} nats per token: ${judged(to - from)}.${apart}`;
}

function judged(change: number): string {
  if (Math.abs(change) < 0.0005) return 'as likely in both';
  return `the text is ${percent(Math.abs(Math.expm1(change)))} ${change < 0 ? 'less' : 'more'} likely per token in b`;
}

function layers(d: Difference, effect: Consequences | undefined): (string | undefined)[] {
  const order = [...d.layers.keys()]
    .sort((x, y) => d.byLayer[y]!.flipped - d.byLayer[x]!.flipped || x - y)
    .slice(0, mostLayers)
    .sort((x, y) => x - y);
  const rows = order.map((i) => [
    ...agreementCells(layerText(d.layers[i]!), d.byLayer[i]!),
    ...(effect ? [percent(effect.direct[i]!), percent(effect.downstream[i]!)] : []),
  ]);
  const all = [...agreementCells('all', d.all), ...(effect ? ['', ''] : [])];
  const cut = d.layers.length - order.length;
  return [
    table([...agreementHead, ...(effect ? ['direct', 'downstream'] : [])], [...rows, all]),
    cut > 0
      ? `Cut: the ${order.length} of ${d.layers.length} layers that differ most are shown; “all” is over all of them.`
      : undefined,
  ];
}

function loads({ usage }: Difference): (string | undefined)[] {
  if (!usage) return [layerExpertsNote];
  const changed = loadChanges(usage);
  if (changed.length === 0) return [];
  const rows = changed.slice(0, mostExperts).map(({ expert, cell }) => [code(usage.experts[expert]!.id), cell]);
  return [
    table(loadChangeHead, rows),
    changed.length > rows.length ? `Cut: ${rows.length} of ${changed.length} experts.` : undefined,
  ];
}

function tokens(d: Difference, inA: Trace['sequences'][number]): (string | undefined)[] {
  const changed = tokenChanges(d, inA, mostTokens);
  if (changed.length === 0) return [];
  const rows = changed.map(({ token, cells }) => [String(token), tokenCode(inA, token), ...cells]);
  return ['The tokens whose log-probability differs most:', table(['# in a', 'token', ...tokenChangeHead], rows)];
}

export const meantOfDifference = [
  'flipped choices',
  'top-k overlap',
  'Jaccard',
  'JS divergence',
  'log p',
  'b − a',
  'KL divergence',
] as const;
