/** `gander atlas compare`. */
import { compareAtlases, type Comparison, type LabelChange, type LoadChange } from '../../atlas/compare.js';
import { readAbout, readTableOf } from '../../atlas/files/folder.js';
import { layerKeyIn, unitKeyIn, word } from '../../atlas/tables/cells.js';
import type { Row } from '../../atlas/tables/table.js';
import { GanderError } from '../../errors/errors.js';
import { fit, table } from '../../terminal/columns.js';
import { decimal, percent, plain, signed } from '../../trace/text/label.js';
import type { Context } from '../command.js';
import { json } from '../json.js';
import { UsageError } from '../usage.js';
import { parseCount } from '../words.js';
import { layerOf } from './rows.js';

export async function compare({ args, out, paint }: Context, given: readonly string[]): Promise<void> {
  const [a, b, ...more] = given;
  if (a === undefined || b === undefined || more.length > 0) throw new UsageError('Give two atlases to compare.');
  const [before, after] = await Promise.all([a, b].map(read));
  const { about, ...rows } = before!;
  const { about: other, ...otherRows } = after!;
  const comparison = compareAtlases(rows, otherRows);
  if (comparison.loads.length === 0)
    throw new GanderError(
      'request-invalid',
      'These atlases have no expert in common.',
      'Compare atlases of one model, or of two versions of it.',
    );
  const sameCorpus = about.corpus.fingerprint === other.corpus.fingerprint;
  if (args.flag('json')) {
    out(json({ a: about.run, b: other.run, sameCorpus, ...named(comparison) }));
    return;
  }
  const most = parseCount(args.text('most') ?? '20', '--most');
  out(`a  ${plain(about.run.name)}  ${plain(a)}\nb  ${plain(other.run.name)}  ${plain(b)}\n`);
  out(`${sameCorpus ? 'The corpus is the same.' : 'The corpora differ: what moved may be theirs.'}\n\n`);
  out(comparisonText(comparison, most, paint));
}

async function read(folder: string) {
  const [experts, labels] = await Promise.all([readTableOf(folder, 'experts'), readTableOf(folder, 'labels')]);
  return { about: readAbout(folder), experts, labels };
}

/** With what a row is about in place of the whole row. */
function named({ layers, loads, labels, unmatched }: Comparison): object {
  return {
    layers: layers.map(({ unit, ...change }) => ({ ...layerKeyIn(unit), ...change })),
    loads: loads.map(({ unit, ...change }) => ({ ...unitNamed(unit), ...change })),
    labels: labels.map(({ unit, ...change }) => ({ ...unitNamed(unit), ...change })),
    unmatched,
  };
}

const unitNamed = (unit: Row) => ({ ...unitKeyIn(unit), name: word(unit, 'name') });

export function comparisonText(
  { layers, loads, labels, unmatched }: Comparison,
  most: number,
  paint: Context['paint'],
): string {
  const layerRows = layers.map(({ unit, distance, chance, moved, diedOut, revived }) => [
    layerOf(unit),
    `${percent(distance)} (${percent(chance)})`,
    String(moved),
    String(diedOut),
    String(revived),
  ]);
  const moved = loads.filter((one) => one.moved).sort((x, y) => Math.abs(y.change) - Math.abs(x.change));
  return [
    table(
      ['layer', 'load that moved (chance)', 'experts that moved', 'died out', 'revived'],
      layerRows,
      'lrrrr',
      paint,
    ),
    moved.length > 0
      ? `\n${loadTable(moved.slice(0, most), paint)}`
      : '\nNo expert’s load moved by more than chance.\n',
    ...labels.slice(0, most).map((one, i) => `${i === 0 ? '\n' : ''}${labelLine(one)}\n`),
    labels.length === 0 ? '\nEvery expert is specialised in the same labels as before.\n' : '',
    unmatched > 0
      ? `\nIn one of the atlases only: ${unmatched} ${unmatched === 1 ? 'unit' : 'units'} (a unit is one expert in one layer or over all).\n`
      : '',
  ].join('');
}

function loadTable(loads: readonly LoadChange[], paint: Context['paint']): string {
  const lines = loads.map(({ unit, before, after, change, low, high, q }) => [
    layerOf(unit),
    fit(plain(word(unit, 'name')), 40),
    percent(before),
    percent(after),
    signed(change, 2),
    `${signed(low, 2)} to ${signed(high, 2)}`,
    decimal(q, 3),
  ]);
  return table(['layer', 'expert', 'load in a', 'in b', 'log2', '95 % interval', 'q'], lines, 'llrrrrr', paint);
}

function labelLine({ unit, lost, gained }: LabelChange): string {
  const parts = [
    ...(lost.length > 0 ? [`no longer ${lost.map(plain).join(', ')}`] : []),
    ...(gained.length > 0 ? [`now ${gained.map(plain).join(', ')}`] : []),
  ];
  return `layer ${layerOf(unit)}, ${plain(word(unit, 'name'))}: ${parts.join('; ')}`;
}
