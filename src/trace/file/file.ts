/**
 * A trace as bytes: a safetensors container with a JSON header (docs/trace-format.md). Reading makes typed arrays that are
 * views of the given bytes where these are aligned, so do not change the bytes afterwards.
 */
import { z } from 'zod';
import { GanderError } from '../../errors/errors.js';
import { traceLimits } from '../../checks/limits.js';
import { encodeSafetensors, type TensorInput } from '../../formats/safetensors.js';
import {
  blockColumns,
  blockWidth,
  type Column,
  type ColumnArray,
  sequenceColumns,
  tokenColumns,
} from '../model/columns.js';
import {
  checkChosen,
  checkOffsets,
  checkPredictions,
  checkTraceSize,
  Container,
  type Counts,
  defined,
  expertSetSchema,
  expertsSchema,
  interventionSchema,
  invalid,
  lookupsOf,
  metadataKey,
  partOf,
  partsOf,
  sizeOf,
  tooLarge,
  tooMany,
  writtenExpertSet,
  writtenIntervention,
} from './container.js';
import { finished } from '../model/finished.js';
import type {
  Block,
  BlockColumns,
  ExpertSet,
  Sequence,
  SequenceColumns,
  RoutedModule,
  Tokens,
  Trace,
} from '../model/trace.js';
import { presentStrategy } from './renamed.js';
import { readVersion1 } from './version1.js';

export { checkTraceSize };

const version = 2;

const index = z.int().min(0);

const sequenceSchema = z.object({
  role: z.enum(['text', 'input', 'output']),
  count: index,
  text: z.string().exactOptional(),
  tokens: z.array(z.string()).exactOptional(),
  topTokens: z.array(z.array(z.string())).exactOptional(),
});

const schema = z.object({
  format: z.literal('gander-trace'),
  version: z.literal(version),
  source: z.object({
    kind: z.string(),
    name: z.string(),
    id: z.string().exactOptional(),
    hash: z.string().exactOptional(),
    tokenizer: z.string().exactOptional(),
    versions: z.record(z.string(), z.string()),
  }),
  router: z.object({
    name: z.string(),
    k: z.int().min(1).exactOptional(),
    scoring: z.enum(['softmax', 'sigmoid']).exactOptional(),
    params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).exactOptional(),
  }),
  interventions: z.array(interventionSchema),
  sequences: z.array(sequenceSchema).min(1),
  expertSets: z.array(expertSetSchema(expertsSchema)),
  sites: z.array(
    z.object({
      path: z.string(),
      layer: z.int(),
      stack: z.enum(['encoder', 'decoder']).exactOptional(),
      kind: z.string(),
      sequence: index,
      expertSet: index,
    }),
  ),
  blocks: z.array(z.object({ from: index, to: index, k: index })),
  created: z.string(),
});

type Header = z.input<typeof schema>;

function countOf(header: unknown): Counts {
  const sequences = partsOf(partOf(header, 'sequences')).map((sequence) => Number(partOf(sequence, 'count')));
  const sets = partsOf(partOf(header, 'expertSets')).map((set) => sizeOf(partOf(set, 'experts')));
  return {
    tokens: sequences.reduce((sum, count) => sum + count, 0),
    modules: Math.max(sizeOf(partOf(header, 'sites')), sets.length),
    experts: sets.reduce((most, experts) => Math.max(most, experts), 0),
    interventions: sizeOf(partOf(header, 'interventions')),
    lookups: lookupsOf(partOf(header, 'interventions'), sizeOf(partOf(header, 'sites'))),
    versions: sizeOf(partOf(partOf(header, 'source'), 'versions')),
  };
}

/**
 * The trace's bytes. A partial trace is cut to its finished tokens; its text stays whole.
 * @throws GanderError `request-invalid` if the file would be too large to open again
 */
export function encodeTrace(given: Trace): Uint8Array<ArrayBuffer> {
  const trace = finished(given);
  const { source, router, interventions, sequences, expertSets, modules, blocks, created } = trace;
  const tensors: TensorInput[] = [];
  const add = <Name extends string>(
    prefix: string,
    table: Readonly<Record<Name, Column>>,
    columns: Readonly<Partial<Record<NoInfer<Name>, ColumnArray | undefined>>>,
    shape: (name: NoInfer<Name>) => readonly number[],
  ) => {
    for (const name of Object.keys(table) as Name[]) {
      const { tensor, type } = table[name];
      const data = columns[name];
      if (data) tensors.push({ name: `${prefix}.${tensor}`, dtype: type, shape: shape(name), data });
    }
  };
  sequences.forEach((sequence, i) => {
    const T = sequence.tokens.count;
    add(`sequence.${i}`, tokenColumns, sequence.tokens, () => [T]);
    add(`sequence.${i}`, sequenceColumns, sequence, (name) => sequenceShape(name, T, sequence.predictions));
  });
  blocks.forEach((block, i) => {
    const T = sequences[block.sequence]!.tokens.count;
    add(`block.${i}`, blockColumns, block, (name) => [block.to - block.from, T, blockWidth(block, name)]);
  });
  const header: Header = {
    format: 'gander-trace',
    version,
    source: { ...source, versions: { ...source.versions } },
    router: { ...router, ...(router.params && { params: { ...router.params } }) },
    interventions: interventions.map(writtenIntervention),
    sequences: sequences.map(({ role, text, tokens, topTokens, predictions: P }) => ({
      role,
      count: tokens.count,
      ...(text !== undefined && { text }),
      ...(tokens.text && { tokens: [...tokens.text] }),
      ...(topTokens && {
        topTokens: Array.from({ length: tokens.count }, (_, t) => topTokens.slice(t * P, (t + 1) * P)),
      }),
    })),
    expertSets: expertSets.map(writtenExpertSet),
    sites: [...modules],
    blocks: blocks.map(({ from, to, k }) => ({ from, to, k })),
    created,
  };
  const bytes = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  const excess = tooMany(countOf(header)) ?? (bytes > traceLimits.bytes ? tooLarge(bytes) : undefined);
  if (excess)
    throw new GanderError(
      'request-invalid',
      `This trace could not be opened again: ${excess}.`,
      'Route a shorter text, or with fewer what-ifs.',
    );
  return encodeSafetensors(tensors, { [metadataKey]: JSON.stringify(header) });
}

/**
 * The trace in the bytes.
 * @throws GanderError `trace-invalid` (with what is wrong), `trace-newer`
 */
export function decodeTrace(bytes: Uint8Array): Trace {
  const container = new Container(bytes);
  // Before the schema is checked: a newer version may look quite different.
  const said = z.object({ version: z.number() }).safeParse(container.header).data?.version;
  if (said !== undefined && said > version) {
    throw new GanderError(
      'trace-newer',
      `This trace has format version ${said}; this Gander reads up to ${version}.`,
      'Update Gander to open it.',
    );
  }
  return said === 1 ? readVersion1(container) : readVersion2(container);
}

function readVersion2(container: Container): Trace {
  const {
    source,
    router,
    interventions,
    sequences,
    expertSets,
    sites: modules,
    blocks,
    created,
  } = container.parse(schema, countOf);
  const read = sequences.map((sequence, i) => readSequence(container, sequence, i));
  checkModules(modules, read, expertSets);
  return {
    source,
    router: { ...router, name: presentStrategy(router.name) },
    interventions,
    sequences: read,
    expertSets,
    modules,
    blocks: readBlocks(container, blocks, modules, read, expertSets),
    created,
  };
}

type Columns<Name extends string> = Partial<Record<Name, ColumnArray>>;

function readColumns<Name extends string>(
  container: Container,
  prefix: string,
  table: Readonly<Record<Name, Column>>,
  shape: (name: Name) => readonly number[],
): Columns<Name> {
  const columns: Columns<Name> = {};
  for (const name of Object.keys(table) as Name[]) {
    const { tensor, type } = table[name];
    const array = container.optional(`${prefix}.${tensor}`, type, shape(name));
    if (array) columns[name] = array;
  }
  return columns;
}

function readSequence(container: Container, header: Header['sequences'][number], i: number): Sequence {
  const { role, count, text, tokens: spelled, topTokens } = header;
  const prefix = `sequence.${i}`;
  const tokens = {
    count,
    ...(readColumns(container, prefix, tokenColumns, () => [count]) as Omit<Tokens, 'count' | 'text'>),
    ...(spelled && { text: spelled }),
  };
  if (spelled && spelled.length !== count)
    throw invalid(`sequence ${i} has texts for ${spelled.length} tokens of ${count}`);
  const { start, end } = tokens;
  if (start === undefined ? end !== undefined : end === undefined || text === undefined)
    throw invalid(`of the offsets of sequence ${i}, start, end or the text is missing`);
  if (start && end) checkOffsets(start, end, text!);
  const predictions = container.width(`${prefix}.${sequenceColumns.topIds.tensor}`, 1);
  const columns = readColumns(container, prefix, sequenceColumns, (name) =>
    sequenceShape(name, count, predictions),
  ) as Omit<SequenceColumns, 'topTokens'>;
  checkPredictions(columns.topIds, columns.topLogProb, topTokens, count, predictions);
  return {
    role,
    ...defined({ text }),
    tokens,
    done: count,
    predictions,
    ...columns,
    ...(topTokens && { topTokens: topTokens.flat() }),
  };
}

function sequenceShape(name: keyof typeof sequenceColumns, T: number, predictions: number): readonly number[] {
  return sequenceColumns[name].width === 'one' ? [T] : [T, predictions];
}

function checkModules(
  modules: readonly RoutedModule[],
  sequences: readonly Sequence[],
  sets: readonly ExpertSet[],
): void {
  for (const { path, sequence, expertSet } of modules)
    if (!sequences[sequence] || !sets[expertSet])
      throw invalid(`site ${path} names a sequence or experts that do not exist`);
}

function readBlocks(
  container: Container,
  headers: Header['blocks'],
  modules: readonly RoutedModule[],
  sequences: readonly Sequence[],
  sets: readonly ExpertSet[],
): Block[] {
  let at = 0;
  const blocks = headers.map(({ from, to, k }, i): Block => {
    if (from !== at || to <= from || to > modules.length) throw invalid(`block ${i} does not follow the one before it`);
    at = to;
    const shapes = modules.slice(from, to).map(({ sequence, expertSet }) => ({
      sequence,
      experts: sets[expertSet]!.experts.length,
      sharedExperts: sets[expertSet]!.sharedExperts?.length ?? 0,
    }));
    const shape = { ...shapes[0]!, k };
    const { sequence, experts, sharedExperts } = shape;
    if (!shapes.every((s) => s.sequence === sequence && s.experts === experts && s.sharedExperts === sharedExperts))
      throw invalid(`the sites of block ${i} are not alike`);
    const T = sequences[sequence]!.tokens.count;
    const columns = readColumns(container, `block.${i}`, blockColumns, (name) => [
      to - from,
      T,
      blockWidth(shape, name),
    ]);
    if (!columns.chosen) throw invalid(`the tensor "block.${i}.chosen" is missing`);
    checkChosen(columns.chosen as Int16Array, k, experts);
    return { from, to, ...shape, ...(columns as unknown as BlockColumns) };
  });
  if (at !== modules.length) throw invalid(`sites from ${at} on are in no block`);
  return blocks;
}
