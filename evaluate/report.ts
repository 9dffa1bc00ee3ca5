/** Writes EVALUATION.md from the evaluation's data alone. */
import type { Interval } from '../src/statistics/bootstrap.js';
import { type Evaluation, isPartial, rowOf, type Section } from './evaluation.js';
import type { Explanation, OracleAgreement, Shares } from './explain.js';
import { leastUnits } from '../src/statistics/stratified.js';
import { markdownTable } from './markdown.js';
import { count, counted, percentage, signed } from './numbers.js';
import { labelOf, reference } from './strategies.js';
import { type Cell, type Row, verdict } from './table.js';

/** A figure and its link in the report. */
export interface FigureLink {
  readonly name: string;
  readonly title: string;
  readonly link: string;
}

export function report(evaluation: Evaluation, links: readonly FigureLink[], docs?: string): string {
  const picture = (name: string) => {
    const found = links.find((f) => f.name === name);
    return found ? [`![${found.title}](${found.link})`] : [];
  };
  const blocks = [
    `# Evaluation of ${evaluation.pool.name}`,
    ...partialNote(evaluation),
    about(evaluation),
    `How this is measured and what the terms mean: ${docs === undefined ? 'docs/evaluation.md' : `[docs/evaluation.md](${docs})`}.`,
  ];
  for (const section of evaluation.sections) {
    blocks.push(
      `## ${section.part === 'heldout' ? 'Held-out documents' : 'Each expert’s own test split'}`,
      sample(section),
    );
    if (section.rows.length === 0) {
      blocks.push('Nothing was measured yet.');
      continue;
    }
    blocks.push(...says(section));
    if (section.part === 'heldout') blocks.push(...picture('difference'));
    blocks.push(...tables(section));
    if (section.explanation)
      blocks.push(...explains(section, section.explanation, section.part === 'heldout' ? picture : () => []));
  }
  blocks.push(...notMeasured(evaluation));
  return `${blocks.join('\n\n')}\n`;
}

const bits = (value: number) => value.toFixed(3);
const minus = (value: number, digits: number) => value.toFixed(digits).replace('-', '−');
const percent = (share: number) => `${percentage(share)} %`;
/** With too few documents there is no interval. */
const span = ({ low, high }: Interval, of: (x: number) => string) =>
  Number.isNaN(low) ? '—' : `[${of(low)}, ${of(high)}]`;
const bracketed = (interval: Interval, of: (x: number) => string) =>
  Number.isNaN(interval.low) ? '' : ` ${span(interval, of)}`;

const details = (summary: string, ...blocks: readonly string[]) =>
  ['<details>', `<summary>${summary}</summary>`, ...blocks, '</details>'].join('\n\n');

function partialNote(evaluation: Evaluation): string[] {
  if (!isPartial(evaluation)) return [];
  const { done, total } = evaluation.work;
  return [
    `> **Partial run: ${count(done)} of ${count(total)} measurements.** What follows covers the documents that are done; ` +
      'each row says how many. Run the command again to continue where it stopped.',
  ];
}

function about({ pool, command, created, versions, machine, seed, documents, tokens }: Evaluation): string {
  const known = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- Command: \`${command}\``,
    `- Date: ${created.slice(0, 10)}`,
    `- Pool: ${pool.name} (\`${pool.id}\`, base ${pool.baseName}, ${pool.experts.length} experts), hash \`${pool.hash.slice(0, 16)}\``,
    `- Versions: ${known.join(', ')}`,
    `- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}`,
    `- Sample: up to ${count(documents)} documents per kind, the first ${count(tokens)} tokens of each; bootstrap seed ${seed}`,
  ].join('\n');
}

function sample({ part, found, rows }: Section): string {
  const covered = rowOf({ kinds: [], rows }, reference)?.kinds ?? {};
  const kinds = Object.entries(found).map(([kind, n]) => {
    const done = covered[kind]?.documents ?? 0;
    return done < n ? `${kind} (${done} of ${n})` : `${kind} (${n})`;
  });
  return part === 'heldout'
    ? `Kinds that no expert was trained on, documents of each: ${kinds.join(', ')}.`
    : `Packages that no expert was trained on, documents of each: ${kinds.join(', ')}.`;
}

/** What the table shows, in sentences that its intervals support. */
function says({ kinds, rows }: Section): string[] {
  const base = rowOf({ kinds, rows }, reference)?.overall;
  if (!base) return [];
  const sorted = { better: [] as Row[], worse: [] as Row[], open: [] as Row[] };
  for (const row of rows) {
    const difference = row.overall?.difference;
    if (difference) sorted[verdict(difference)].push(row);
  }
  const named = (group: readonly Row[]) => {
    const singles = group.filter((row) => row.key.startsWith('single:'));
    const names = group.filter((row) => !singles.includes(row)).map((row) => row.label);
    if (singles.length > 0) names.push(counted(singles.length, 'single expert'));
    return names.length > 0 ? names.join('; ') : 'none';
  };
  return [
    [
      `**${labelOf(reference)}: ${bits(base.bitsPerByte)} bits per byte**, the mean of ${counted(kinds.length, 'kind')} (${counted(base.documents, 'document')}).`,
      '',
      `- better than it (the 95 % interval of the difference is below 0): ${named(sorted.better)}`,
      `- worse: ${named(sorted.worse)}`,
      `- no clear difference in this sample: ${named(sorted.open)}`,
      ...(sorted.open.some((row) => Number.isNaN(row.overall!.difference!.low))
        ? ['', `A kind with fewer than ${leastUnits} documents has no interval, so it shows no difference.`]
        : []),
    ].join('\n'),
  ];
}

function pickedNote({ picked }: Row): string {
  return typeof picked === 'string' ? ` (${picked})` : '';
}

function tables({ kinds, rows, part }: Section): string[] {
  const overall = markdownTable(
    ['strategy', 'bits per byte', 'difference', '95 % interval', 'documents'],
    rows
      .filter((row) => row.overall)
      .map((row) => {
        const { bitsPerByte, difference, documents } = row.overall!;
        return [
          row.label + pickedNote(row),
          bits(bitsPerByte),
          difference ? signed(difference.value) : '',
          difference ? span(difference, signed) : '',
          count(documents),
        ];
      }),
  );
  const cellText = (cell: Cell | undefined) => {
    if (!cell) return '—';
    const told = cell.difference ? { better: ' ▼', worse: ' ▲', open: '' }[verdict(cell.difference)] : '';
    return bits(cell.bitsPerByte) + told;
  };
  const isSingle = (row: Row) => row.key.startsWith('single:');
  const byKind = (group: readonly Row[]) =>
    markdownTable(
      ['strategy', ...kinds],
      group.map((row) => [row.label + pickedNote(row), ...kinds.map((kind) => cellText(row.kinds[kind]))]),
    );
  const counts = new Set(rows.map((row) => row.overall?.documents));
  const singles = rows.filter(isSingle);
  const oracle = rows.find((row) => row.key === 'oracle-kind')?.picked;
  return [
    '**Overall.** Each kind counts the same. Difference: bits per byte − those of phatgoose, k = 2, on the same documents; above 0 is worse.',
    overall,
    ...(counts.size > 1
      ? [
          'Rows cover different numbers of documents: compare the differences, which are paired, rather than the bits per byte.',
        ]
      : []),
    `**By ${part === 'heldout' ? 'kind' : 'domain'}.** ▼ better and ▲ worse than phatgoose, k = 2, where the 95 % interval does not include 0.`,
    byKind(rows.filter((row) => !isSingle(row))),
    ...(typeof oracle === 'object'
      ? [
          `The oracle’s choice: ${Object.entries(oracle)
            .map(([kind, expert]) => `${kind}: ${expert}`)
            .join(', ')}.`,
        ]
      : []),
    ...(singles.length > 0 ? [details('Single experts', byKind(singles))] : []),
    details(
      'Differences with their intervals',
      ...kinds.map((kind) =>
        markdownTable(
          [kind, 'bits per byte', 'difference', '95 % interval', 'documents'],
          rows
            .filter((row) => row.kinds[kind])
            .map((row) => {
              const { bitsPerByte, difference, documents } = row.kinds[kind]!;
              return [
                row.label,
                bits(bitsPerByte),
                difference ? signed(difference.value) : '',
                difference ? span(difference, signed) : '',
                count(documents),
              ];
            }),
        ),
      ),
    ),
  ];
}

/** The `most` largest shares, each with its interval. */
function leading({ share, interval }: Shares, experts: readonly string[], most = 3): string {
  return [...share.keys()]
    .sort((a, b) => share[b]! - share[a]! || a - b)
    .slice(0, most)
    .map((e) => `${experts[e]!} ${percent(share[e]!)}${bracketed(interval[e]!, (x) => (100 * x).toFixed(0))}`)
    .join(', ');
}

function explains({ kinds, part }: Section, told: Explanation, picture: (name: string) => string[]): string[] {
  const chance = 1 / told.experts.length;
  const [low, high] = [Math.min(...told.effectiveByLayer), Math.max(...told.effectiveByLayer)];
  const what = part === 'heldout' ? 'kind' : 'domain';
  const out = [
    `### What explains it${part === 'heldout' ? '' : ': own test splits'}`,
    `**Load.** Share of all choices (token × module) that went to each expert; chance ${percent(chance)}. In brackets: 95 % intervals over documents, in %. ` +
      `Over all ${what}s the effective number of experts is ${told.effective.toFixed(1)} of ${told.experts.length}` +
      ` (single layers: ${low.toFixed(1)} to ${high.toFixed(1)}).`,
    ...picture('usage'),
    markdownTable(
      [what, 'largest load', 'effective number', 'documents'],
      told.kinds.map((use) => [use.kind, leading(use, told.experts), use.effective.toFixed(1), count(use.documents)]),
      2,
    ),
  ];
  const mixed = told.kinds.filter((use) => use.regions.length > 1);
  if (mixed.length > 0) {
    out.push(
      '**Within a document.** The same by region. Total variation: the share of choices that would have to change for the region to have the loads of the rest of its documents.',
      markdownTable(
        [what, 'region', 'largest load', 'total variation', 'tokens', 'documents'],
        mixed.flatMap((use) =>
          use.regions.map((region) => [
            use.kind,
            region.name,
            leading(region, told.experts),
            percent(region.totalVariation),
            count(region.tokens),
            count(region.documents),
          ]),
        ),
        3,
      ),
    );
  }
  if (told.oracle) {
    const line = (name: string, { same, chance: apart, rank, documents }: OracleAgreement) => [
      name,
      `${percent(same.value)}${bracketed(same, (x) => (100 * x).toFixed(0))}`,
      percent(apart),
      Number.isNaN(rank.value) ? '—' : `${minus(rank.value, 2)}${bracketed(rank, (x) => minus(x, 2))}`,
      count(documents),
    ];
    const agreements = told.oracle.kinds;
    out.push(
      '**Against the oracle.** Is the expert with the largest load the best single one for the document, and do load and gain over base rank the experts alike (Spearman; chance 0)? ' +
        'By chance: the first figure if the two were independent, each expert as frequent as observed. The PHATGOOSE paper reports that routing correlates poorly with the oracle and uses many experts.',
      markdownTable(
        [what, 'largest load is best', 'by chance', 'rank correlation', 'documents'],
        [line('all', told.oracle), ...kinds.filter((k) => agreements[k]).map((k) => line(k, agreements[k]!))],
      ),
    );
  }
  const { entropy } = told;
  const known = entropy.byLayer.flatMap((h, l) => (h === null ? [] : [[entropy.layers[l]!, h] as const]));
  if (known.length > 0) {
    const sorted = [...known].sort((a, b) => a[1] - b[1]);
    const [first, last] = [sorted[0]!, sorted.at(-1)!];
    const byKind = entropy.kinds.flatMap((kind, k) => {
      const h = entropy.byKind[k];
      return h === null || h === undefined ? [] : [`${kind} ${h.toFixed(2)}`];
    });
    out.push(
      `**Entropy** of the router distribution ÷ ln ${told.experts.length} (1: even). By kind of module: ${byKind.join(', ')}. ` +
        `Lowest: layer ${first[0]} (${first[1].toFixed(2)}); highest: layer ${last[0]} (${last[1].toFixed(2)}).`,
      ...picture('entropy'),
    );
  }
  return out;
}

function notMeasured({ missing, failures }: Evaluation): string[] {
  const lines = [
    ...missing.map((key) => `- ${labelOf(key)}: the pool lacks the files that it needs`),
    ...failures.map((f) => `- ${labelOf(f.strategy)} on ${f.kind}, ${f.path}: ${f.message}`),
  ];
  return lines.length > 0 ? ['## Not measured', lines.join('\n')] : [];
}
