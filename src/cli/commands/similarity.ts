import type { Similarity } from '../../requests/api.js';
import { shortLabelsOf } from '../../look/shortLabels.js';
import { asPool } from '../../requests/modelInfo.js';
import { closestPairs } from '../../similarity/pairs.js';
import { type Measure, measures, planeOf } from '../../similarity/planes.js';
import { fit, table } from '../../terminal/columns.js';
import type { Paint } from '../../terminal/paint.js';
import { layerKey } from '../../trace/model/shownExperts.js';
import { decimal, plain } from '../../trace/text/label.js';
import type { Arguments, Command, Options } from '../command.js';
import { json, warningsJson } from '../json.js';
import { engineOptions, jsonOption } from '../options.js';
import { expertName } from '../traceTable.js';
import { UsageError } from '../usage.js';
import { parseCount } from '../words.js';

const options = {
  layer: {
    type: 'string',
    value: 'n',
    help: 'one layer alone, such as 3, or "decoder 3" in an encoder-decoder (default: over all)',
  },
  most: { type: 'string', value: 'n', help: 'the number of pairs, the most similar first (default: 20)' },
} as const satisfies Options;

/** Pairs that are listed by default. */
const usualPairs = 20;

const nameWidth = 28;

/** The most experts for which all pairs are shown, as a square. */
const mostInSquare = 24;

export const similarity: Command = {
  name: 'similarity',
  summary: 'how similar the experts of a pool are, by gate and by adapter',
  usage: ['[pool folder]'],
  examples: [
    ['', 'over all layers'],
    ['--layer 3', 'at one layer'],
  ],
  options: { ...options, ...jsonOption, ...engineOptions },
  async run({ args, out, open, progress, paint, signal }) {
    if (args.positionals.length > 1) throw new UsageError('Give one pool folder.');
    const most = parseCount(args.text('most') ?? String(usualPairs), '--most');
    const { engine, model } = await open(args.positionals[0]);
    const pool = asPool(model);
    const found = await engine.similarity({}, { signal, onProgress: progress.count('modules', 'comparing') });
    progress.clear();
    const layer = layerAsked(args, found);
    if (args.flag('json')) {
      out(
        json({ pool: { id: pool.id, hash: pool.hash }, ...facts(found, most, layer), ...warningsJson(model.warnings) }),
      );
      return;
    }
    out(text(found, most, layer, paint));
  },
};

/** Which plane is asked for: the index of a layer, or undefined for the one over all. */
function layerAsked(args: Arguments, { layers }: Similarity): number | undefined {
  const asked = args.text('layer');
  if (asked === undefined) return undefined;
  const at = layers.findIndex((layer) => layerKey(layer) === asked);
  if (at >= 0) return at;
  throw new UsageError(`There is no layer "${plain(asked)}". Layers: ${layers.map(layerKey).join(', ')}.`);
}

function facts(found: Similarity, most: number, layer: number | undefined): object {
  const { experts, layers } = found;
  const square = (plane: Float32Array) =>
    experts.map((_, i) => [...plane.subarray(i * experts.length, (i + 1) * experts.length)]);
  return {
    experts,
    layers,
    ...Object.fromEntries(
      measures.map((by) => [by, { all: square(found[by].all), layers: found[by].layers.map(square) }]),
    ),
    pairs: pairsOf(found, most, layer).map(({ a, b, ...cosines }) => ({
      a: experts[a]!.id,
      b: experts[b]!.id,
      ...cosines,
    })),
  };
}

/** By gate, because gates decide which expert is chosen. */
function pairsOf({ gate, adapter, experts }: Similarity, most: number, layer: number | undefined) {
  const other = planeOf(adapter, layer);
  return closestPairs(planeOf(gate, layer))
    .slice(0, most)
    .map(({ a, b, cosine }) => ({ a, b, gate: cosine, adapter: other[a * experts.length + b]! }));
}

function text(found: Similarity, most: number, layer: number | undefined, paint: Paint): string {
  const { experts, layers } = found;
  const where = layer === undefined ? `over all ${layers.length} layers` : `layer ${layerKey(layers[layer]!)}`;
  const squares = experts.length > mostInSquare ? [] : measures.map((by) => squareOf(found, by, layer, paint));
  const pairs = pairsOf(found, most, layer).map(({ a, b, gate, adapter }) => [
    fit(expertName(experts, a), nameWidth),
    fit(expertName(experts, b), nameWidth),
    decimal(gate, 3),
    decimal(adapter, 3),
  ]);
  return [
    `${paint.bold(`Cosines of ${experts.length} experts`)}  ${where}\n\n`,
    ...squares.map((square) => `${square}\n`),
    table(['most alike by gate', '', 'gate', 'adapter'], pairs, 'llrr', paint),
    '\n1: the same direction, 0: nothing in common. Adapters that began from the same random A have something in common from the start.\n',
  ].join('');
}

function squareOf(found: Similarity, by: Measure, layer: number | undefined, paint: Paint): string {
  const { experts } = found;
  const shortLabels = shortLabelsOf(experts).map(plain);
  const plane = planeOf(found[by], layer);
  const rows = experts.map((_, i) => [
    shortLabels[i]!,
    ...experts.map((_, j) => (j > i ? '' : decimal(plane[i * experts.length + j]!, 2))),
  ]);
  return table([by, ...shortLabels], rows, `l${'r'.repeat(experts.length)}`, paint);
}
