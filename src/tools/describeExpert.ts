import { z } from 'zod';
import { layerName, Layout, unitsNamed } from '../atlas/layout.js';
import { ablationCells, ablationHead, byLift, intervalText, liftCells, liftHead } from '../atlas/lines.js';
import { number, unitKeyIn, word } from '../atlas/tables/cells.js';
import { type Row, unitCells } from '../atlas/tables/table.js';
import type { SourceDescription } from '../requests/description.js';
import type { Expert } from '../trace/model/trace.js';
import { decimal, percent, visible } from '../trace/text/label.js';
import { expertIn, modelNamed } from './asked.js';
import { expertInput, modelInput } from './inputs.js';
import { meaning } from './meanings.js';
import type { ReachedAtlas } from './reach.js';
import { answer, cell, code, table, tokenMarks } from './text.js';
import { tool } from './tool.js';

/** The most labels, tokens of each kind and contexts of each kind that are listed. */
const [mostLabels, mostTokens, mostContexts] = [6, 10, 4];

/** The most units: an expert of a pool may be one in each stack. */
const mostUnits = 2;

export const describeExpert = tool({
  name: 'describe_expert',
  title: 'Describe Expert',
  description: [
    'Says what one expert does over a whole corpus, from the model’s atlas: how often it is chosen, for which labels and tokens more often than others, in which contexts, and what knocking it out costs, each beside what chance gives. Also what its card says.',
    'Use it for questions such as “what is this expert for?” or “is it specialised?”. Do not use it for one text (route_text, explain_token).',
    'Where there is no atlas of the model, it says so and gives only the card. It runs nothing.',
  ].join(' '),
  input: z.strictObject({
    expert: expertInput,
    model: modelInput,
    layer: z
      .int()
      .min(0)
      .optional()
      .describe(
        'Only for a pool, whose experts are the same in all layers: what it does in this one. Default: over all.',
      ),
  }),
  async run({ expert: said, model: id, layer }, reach) {
    const model = modelNamed(reach, id);
    const source = await model.source.describe();
    const atlas = await reach.atlasOf(source);
    const expert = expertIn(setsOf(source, atlas), said);
    const about = [
      `Expert ${code(expert.id)} of ${code(model.id)}${expert.name === expert.id ? '' : `, ${cell(expert.name)}`}.`,
      cardOf(source, expert),
    ];
    const next = `Next: route_text with a text of your own, then knock_out_expert with ${code(expert.id)}.`;
    if (!atlas)
      return answer(
        ...about,
        'There is no atlas of this model here, so nothing is known of what the expert does over a corpus. The user can make one: gander atlas make <folder of texts> -o <name>.gander-atlas, or Make Atlas… in the editor.',
        next,
      );
    return answer(...about, ...(await fromAtlas(atlas, expert.id, layer)), next);
  },
});

/** An atlas knows the experts of a server that names none. */
function setsOf({ experts, expertSets }: SourceDescription, atlas: ReachedAtlas | undefined) {
  if (expertSets && expertSets.length > 0) return expertSets;
  if (experts.length > 0) return [{ scope: 'pool' as const, experts }];
  return (atlas?.about.layers ?? []).map((layer) => ({ scope: 'layer' as const, experts: layer.experts }));
}

function cardOf({ experts }: SourceDescription, { id }: Expert): string | undefined {
  const description = experts.find((expert) => expert.id === id)?.description;
  return description === undefined ? undefined : `Its card says: ${cell(description)}`;
}

async function fromAtlas(atlas: ReachedAtlas, id: string, layer: number | undefined): Promise<(string | undefined)[]> {
  const layout = new Layout(atlas.about.layers);
  const units = (layer === undefined ? unitsNamed(layout, id) : unitsIn(layout, id, layer)).slice(0, mostUnits);
  if (units.length === 0)
    return [`The atlas of this model does not know the expert${layer === undefined ? '' : ` in layer ${layer}`}.`];
  const parts: (string | undefined)[] = [corpusText(atlas)];
  let isAblated = false;
  for (const unit of units) {
    const rows = await rowsOf(atlas, layout, unit);
    isAblated ||= rows.ablations.length > 0;
    parts.push(...unitParts(rows));
  }
  parts.push(
    tokenMarks,
    meaning(
      'corpus load',
      'specialisation',
      'specialised',
      'lift',
      'q',
      'expected',
      'contexts',
      ...(isAblated ? (['ablation'] as const) : []),
    ),
  );
  return parts;
}

function unitsIn({ layers, starts }: Layout, id: string, layer: number): number[] {
  return layers.flatMap((one, l) => {
    const at = one.layer === layer ? one.experts.findIndex((expert) => expert.id === id) : -1;
    return at < 0 ? [] : [starts[l]! + at];
  });
}

function corpusText({ about: { run, corpus, totals } }: ReachedAtlas): string {
  const k = run.router.k === null ? '' : `:${run.router.k}`;
  return `Measured over ${totals.documents} documents with ${totals.tokens} tokens, routed with ${run.router.name}${k}. Labels are kinds of documents: ${corpus.labels.map((label) => cell(label)).join(', ')}.`;
}

async function rowsOf(atlas: ReachedAtlas, layout: Layout, unit: number) {
  const where = unitKeyIn(unitCells(layout, unit));
  // One after the other: they are read in one process.
  return {
    place: where,
    row: (await atlas.rows('experts', where))[0],
    labels: await atlas.rows('labels', where),
    tokens: await atlas.rows('tokens', where),
    contexts: await atlas.rows('contexts', where),
    ablations: await atlas.rows('ablations', where),
  };
}

function unitParts({ place, row, labels, tokens, contexts, ablations }: Awaited<ReturnType<typeof rowsOf>>) {
  return [
    `## ${cell(layerName(place))}`,
    row && factsOf(row),
    ...labelParts(labels),
    ...tokenParts(tokens),
    ...contextParts(contexts),
    ablations.length > 0
      ? `Knocked out where it was chosen (log p in nats; “another expert” is one chosen at random in the same document):\n\n${table(ablationHead, ablations.map(ablationCells))}`
      : 'What knocking it out costs was not measured for this expert.',
  ];
}

function factsOf(row: Row): string {
  const label =
    row['label'] === null ? 'It is specialised in no label.' : `It is specialised in ${code(word(row, 'label'))}.`;
  return [
    `Load ${percent(number(row, 'load'))} (95 % interval ${intervalText(row, percent)}), chance ${percent(number(row, 'chance'))}: ${number(row, 'tokens')} choices in ${number(row, 'documents')} documents.`,
    `Specialisation ${decimal(number(row, 'specialisation'), 3)}, chance ${decimal(number(row, 'specialisationChance'), 3)}. ${label}`,
  ].join(' ');
}

/** The labels that choose it most, and those that choose it least. */
function labelParts(labels: readonly Row[]): (string | undefined)[] {
  if (labels.length === 0) return ['The corpus has no labels.'];
  const all = byLift(labels);
  const few = all.length <= 2 * mostLabels;
  const shown = few ? all : [...all.slice(0, mostLabels), ...all.slice(-mostLabels)];
  const cut = `Cut: the ${mostLabels} labels with the largest lift and the ${mostLabels} with the smallest, of ${all.length}.`;
  const rows = shown.map((row) => [code(word(row, 'label')), ...liftCells(row)]);
  return [table(['label', ...liftHead], rows), few ? undefined : cut];
}

const kinds = [
  ['read', 'Tokens at which it is chosen'],
  ['next', 'Tokens that come next where it is chosen'],
] as const;

function tokenParts(tokens: readonly Row[]): string[] {
  return kinds.flatMap(([kind, what]) => {
    const each = tokens
      .filter((row) => row['kind'] === kind)
      .slice(0, mostTokens)
      .map(
        (row) =>
          `${code(visible(word(row, 'token')))} ${number(row, 'count')} (${decimal(number(row, 'expected'), 0)})`,
      );
    return each.length > 0 ? [`${what} more often than expected, count (expected): ${each.join(', ')}.`] : [];
  });
}

const contextKinds = [
  ['top', 'Contexts at its largest weights'],
  ['random', 'Contexts at random places where it is chosen'],
] as const;

function contextParts(contexts: readonly Row[]): string[] {
  return contextKinds.flatMap(([kind, what]) => {
    const own = contexts.filter((row) => row['kind'] === kind).slice(0, mostContexts);
    if (own.length === 0) return [];
    const rows = own.map((row) => {
      const [before, text, after] = ['before', 'text', 'after'].map((name) =>
        word(row, name) ? visible(word(row, name)) : '',
      );
      return [decimal(number(row, 'weight')), code(`${before!}[${text!}]${after!}`), cell(word(row, 'document'))];
    });
    return [`${what}:\n\n${table(['weight', 'text, the token in brackets', 'document'], rows)}`];
  });
}
