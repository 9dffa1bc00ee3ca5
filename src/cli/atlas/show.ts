/** `gander atlas show`. */
import type { About } from '../../atlas/about.js';
import { readAbout, readTableOf } from '../../atlas/files/folder.js';
import { Layout, unitsNamed } from '../../atlas/layout.js';
import { number, unitKeyIn, word } from '../../atlas/tables/cells.js';
import { tableNames } from '../../atlas/tables/index.js';
import { type Row, unitCells } from '../../atlas/tables/table.js';
import { ablationCells, ablationHead, byLift, intervalText, liftCells, liftHead } from '../../atlas/lines.js';
import { unitId } from '../../protocol/atlas.js';
import { fit, table } from '../../terminal/columns.js';
import { decimal, percent, plain, signed, visible } from '../../trace/text/label.js';
import type { Context, Options } from '../command.js';
import { json } from '../json.js';
import { UsageError } from '../usage.js';
import { parseCount } from '../words.js';
import { aboutJson, aboutText } from './about.js';
import { layerOf } from './rows.js';

export const showOptions = {
  expert: { type: 'string', value: 'id', help: 'show: one expert by its id, or by layer and number, such as 3.7' },
  token: { type: 'string', value: 'text', help: 'show: the experts that a token goes to' },
  most: { type: 'string', value: 'n', help: 'show: at most so many rows of each list (default: 20)' },
} as const satisfies Options;

export async function show(context: Context, given: readonly string[]): Promise<void> {
  const { args, out } = context;
  const [folder, ...more] = given;
  if (folder === undefined || more.length > 0) throw new UsageError('Give one atlas.');
  const asked = (['expert', 'label', 'token'] as const).filter((name) => args.text(name) !== undefined);
  if (asked.length > 1) throw new UsageError(`Give ${asked.map((name) => `--${name}`).join(' or ')}, not both.`);
  const about = readAbout(folder);
  const views = { expert, label, token } as const;
  const view = asked[0] ? views[asked[0]] : args.flag('json') ? all : overview;
  const shown = await view({ ...context, folder, about, most: parseCount(args.text('most') ?? '20', '--most') });
  out(args.flag('json') ? json({ ...aboutJson(about), ...shown.facts }) : shown.text());
}

interface Asked extends Context {
  readonly folder: string;
  readonly about: About;
  readonly most: number;
}

interface Shown {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly text: () => string;
}

async function all({ folder }: Asked): Promise<Shown> {
  const read = await Promise.all(tableNames.map((name) => readTableOf(folder, name)));
  return { facts: Object.fromEntries(tableNames.map((name, i) => [name, read[i]])), text: () => '' };
}

async function overview({ folder, about, paint }: Asked): Promise<Shown> {
  const layers = await readTableOf(folder, 'layers');
  const besides = (row: Row, name: string, digits = 2) =>
    `${decimal(number(row, name), digits)} (${decimal(number(row, `${name}Chance`), digits)})`;
  const text = () => {
    const head = ['layer', 'experts', 'dead', 'load CV', 'effective', 'MaxVio', 'label', 'token', 'class', 'position'];
    const rows = layers.map((row) => [
      layerOf(row),
      String(number(row, 'experts')),
      String(number(row, 'dead')),
      besides(row, 'cv'),
      besides(row, 'effective', 1),
      decimal(number(row, 'maxVio')),
      ...['label', 'token', 'class', 'place'].map((of) => besides(row, `${of}Information`, 3)),
    ]);
    return `${aboutText(about)}\n${table(head, rows, 'lrrrrrrrrr', paint)}\nIn brackets: what chance alone would give. label … position: mutual information with the choice, in nats.\n`;
  };
  return { facts: { layers }, text };
}

async function expert(asked: Asked): Promise<Shown> {
  const { folder, args, most } = asked;
  const isAsked = unitAsked(args.text('expert')!, asked.about);
  const [experts, labels, tokens, contexts, ablations] = await Promise.all(
    (['experts', 'labels', 'tokens', 'contexts', 'ablations'] as const).map(async (name) =>
      (await readTableOf(folder, name)).filter(isAsked),
    ),
  );
  if (experts!.length === 0) throw new UsageError(`There is no expert "${plain(args.text('expert')!)}" in this atlas.`);
  return {
    facts: { experts, labels, tokens, contexts, ablations },
    text: () =>
      experts!
        .map((unit) => {
          const own = (rows: readonly Row[] | undefined) => rows!.filter((row) => isSameUnit(row, unit));
          const text = unitText(asked, unit, own(labels), own(tokens), own(contexts), most);
          return `${text}${ablationTable(own(ablations), asked.paint)}`;
        })
        .join('\n'),
  };
}

function unitAsked(name: string, { layers }: About): (row: Row) => boolean {
  const layout = new Layout(layers);
  const units = unitsNamed(layout, name).map((u) => unitCells(layout, u));
  return (row) => units.some((unit) => isSameUnit(row, unit));
}

const isSameUnit = (a: Row, b: Row) => unitId(unitKeyIn(a)) === unitId(unitKeyIn(b));

function unitText(
  { paint, columns }: Asked,
  unit: Row,
  labels: readonly Row[],
  tokens: readonly Row[],
  contexts: readonly Row[],
  most: number,
): string {
  return [
    `${paint.bold(plain(word(unit, 'name')))}  layer ${layerOf(unit)}\n`,
    `load ${percent(number(unit, 'load'))} (${intervalText(unit, percent)}), chance ${percent(number(unit, 'chance'))}, ` +
      `${number(unit, 'tokens')} choices in ${number(unit, 'documents')} documents\n`,
    `specialisation ${decimal(number(unit, 'specialisation'), 3)}, chance ${decimal(number(unit, 'specialisationChance'), 3)}; `,
    unit['label'] === null ? 'specialised in no label\n' : `specialised in ${plain(word(unit, 'label'))}\n`,
    labels.length > 0 ? `\n${labelTable(labels, 'label', most, paint)}` : '',
    ...(['read', 'next', 'predicted'] as const).map((kind) => tokenList(tokens, kind, most)),
    ...(['top', 'random'] as const).map((kind) => contextList(contexts, kind, columns, paint)),
  ].join('');
}

/** The largest lifts first. */
function labelTable(rows: readonly Row[], by: 'label' | 'unit', most: number, paint: Context['paint']): string {
  const named = (row: Row) => (by === 'label' ? word(row, 'label') : `${layerOf(row)}  ${word(row, 'name')}`);
  const lines = byLift(rows)
    .slice(0, most)
    .map((row) => [fit(plain(named(row)), 40), ...liftCells(row)]);
  return table([by === 'label' ? 'label' : 'layer, expert', ...liftHead], lines, 'lrrrrl', paint);
}

function tokenList(tokens: readonly Row[], kind: string, most: number): string {
  const own = tokens.filter((row) => row['kind'] === kind).slice(0, most);
  if (own.length === 0) return '';
  const each = own.map(
    (row) => `${visible(word(row, 'token'))} ${number(row, 'count')} (${decimal(number(row, 'expected'), 0)})`,
  );
  return `\n${kind}, count (expected): ${each.join('  ')}\n`;
}

function contextList(contexts: readonly Row[], kind: string, columns: number, paint: Context['paint']): string {
  const own = contexts.filter((row) => row['kind'] === kind);
  if (own.length === 0) return '';
  const lines = own.map((row) => {
    const [before, text, after] = ['before', 'text', 'after'].map((part) => visible(word(row, part)));
    const shown = `${word(row, 'before') ? before! : ''}${paint.bold(`[${text!}]`)}${word(row, 'after') ? after! : ''}`;
    const weight = decimal(number(row, 'weight')).padStart(5);
    return `${weight}  ${shown}  ${paint.dim(fit(plain(word(row, 'document')), Math.max(10, Math.floor(columns / 3))))}`;
  });
  return `\n${kind} contexts\n${lines.join('\n')}\n`;
}

function ablationTable(rows: readonly Row[], paint: Context['paint']): string {
  if (rows.length === 0) return '';
  return `\n${table(ablationHead, rows.map(ablationCells), 'llrrrrrrl', paint)}`;
}

async function label({ folder, args, about, most, paint }: Asked): Promise<Shown> {
  const asked = args.text('label')!;
  if (!about.corpus.labels.includes(asked))
    throw new UsageError(`There is no label "${plain(asked)}". Labels: ${about.corpus.labels.map(plain).join(', ')}.`);
  const labels = (await readTableOf(folder, 'labels')).filter((row) => row['label'] === asked);
  return { facts: { labels }, text: () => labelTable(labels, 'unit', most, paint) };
}

async function token({ folder, args, most, paint }: Asked): Promise<Shown> {
  const asked = args.text('token')!;
  const tokens = (await readTableOf(folder, 'tokens')).filter((row) => row['token'] === asked);
  if (tokens.length === 0)
    throw new UsageError(
      `No expert takes the token "${plain(asked)}" more than others do. A token includes the space before it, as in " the".`,
    );
  const lines = (kind: string) =>
    tokens
      .filter((row) => row['kind'] === kind)
      .sort((a, b) => number(b, 'lift') - number(a, 'lift'))
      .slice(0, most)
      .map((row) => [
        kind,
        layerOf(row),
        fit(plain(word(row, 'name')), 30),
        String(number(row, 'count')),
        decimal(number(row, 'expected'), 1),
        signed(number(row, 'lift'), 2),
      ]);
  return {
    facts: { tokens },
    text: () =>
      table(
        ['', 'layer', 'expert', 'count', 'expected', 'lift'],
        ['read', 'next', 'predicted'].flatMap(lines),
        'lllrrr',
        paint,
      ),
  };
}
