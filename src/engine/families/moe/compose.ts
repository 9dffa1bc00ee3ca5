import { createHash } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { copyBase, quicken, readBase } from '../../../graph/base.js';
import { type GraphProto, parseModel, writeModel } from '../../../graph/model.js';
import { choose } from '../../../graph/moe/chosenCount.js';
import { checkHolder } from '../../../graph/moe/fused.js';
import { interleave, liesApart } from '../../../graph/moe/interleave.js';
import { type Router, findRouters, hasMixer } from '../../../graph/moe/routers.js';
import { tapRouters } from '../../../graph/moe/tap.js';
import { eightBitsIn, roundedTogether } from '../../../graph/rounded.js';
import { insertPredictions, likeliest } from '../../../graph/predictions.js';
import { fileInside } from '../../../pool/paths.js';
import { GanderError } from '../../../errors/errors.js';
import { bytesInWords } from '../../../formats/bytes.js';
import { poolLimits, traceLimits } from '../../../checks/limits.js';
import { type Cache, type Entry, readCached } from '../../runtime/cache.js';
import { Variant } from '../../runtime/variant.js';
import { checkAgreement } from './agreement.js';
import type { MoeFolder } from './folder.js';
import { type Plan, planWith } from './plan.js';

/** Part of every cache key: raise it when the same model would be composed differently. */
const composerVersion = 8;

export interface Composed {
  readonly entry: Entry;
  readonly model: string;
  readonly plan: Plan;
}

/** Absolute paths of all files that a model's numbers depend on. @throws GanderError if they are too large, or not in its folder */
export function filesOf({ model, tokenizer, configs }: MoeFolder, cache: Cache): string[] {
  const data = cache.dataFiles(model).map((name) => fileInside(path.dirname(model), name));
  const files = [model, ...data, tokenizer, ...configs];
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  if (bytes > poolLimits.bytes)
    throw new GanderError(
      'model-invalid',
      `The model has ${bytesInWords(bytes)}; at most ${bytesInWords(poolLimits.bytes)} are read.`,
      'Use a smaller model, or one with fewer bits per weight.',
    );
  return files;
}

/** SHA-256 in hex. */
export function hashOf({ folder }: MoeFolder, files: readonly string[], hash: (file: string) => string): string {
  const all = createHash('sha256');
  for (const file of files) all.update(`${path.relative(folder, file)}\0${hash(file)}\0`);
  return all.digest('hex');
}

/**
 * The model's graph with outputs for what its routers decide, from the cache or composed now.
 *
 * @throws GanderError `base-invalid`, `model-invalid`
 */
export function compose(folder: MoeFolder, files: readonly string[], hash: string, cache: Cache): Composed {
  const key = createHash('sha256').update(['moe', composerVersion, hash].join('\0')).digest('hex').slice(0, 32);
  const entry = cache.entry(key, (temporary) => {
    composeInto(temporary, folder);
    // Otherwise the key would belong to other files than those that were read.
    if (hashOf(folder, files, (file) => cache.hash(file)) !== hash)
      throw new GanderError('model-invalid', 'The model changed while it was being read.', 'Ask again.');
  });
  const file = (name: string) => path.join(entry.folder, name);
  const plan = JSON.parse(readCached(file('plan.json')).toString('utf8')) as Plan;
  return { entry, model: file('model.onnx'), plan };
}

/** The same with routers that choose k experts: a graph beside the composed one, with the same weights. @throws GanderError `io` */
export function composedWith(composed: Composed, k: number, cache: Cache): Composed {
  const plan = planWith(composed.plan, k);
  const variant = new Variant(composed.model, `k${k}`);
  const change = (bytes: Uint8Array) => {
    const model = parseModel(bytes);
    for (const { choosable, k: own } of plan.routers) choose(model.graph, choosable!.written, own);
    return writeModel(model);
  };
  if (!variant.isSound) cache.write(() => variant.make(change));
  return { ...composed, model: variant.file, plan };
}

function composeInto(temporary: string, folder: MoeFolder): void {
  const base = readBase(folder.model);
  const { model } = base;
  const eightBits = eightBitsIn([model.graph], 'model');
  const routers = routersIn(model.graph);
  const contradicted = checkAgreement(folder.told, model.graph, routers);
  copyBase(temporary, folder.model, base);
  const holders = routers.flatMap(({ holder }) => holder ?? []);
  interleave(
    temporary,
    model.graph,
    holders.filter((holder) => liesApart(model.graph, holder)),
  );
  const { tapped, warnings } = tapRouters(model, routers);
  const halved = quicken(temporary, model, new Set(routers.map(({ product }) => product.node)));
  insertPredictions(model, likeliest, halved);
  writeFileSync(path.join(temporary, 'model.onnx'), writeModel(model));
  const scorings = new Set(routers.map(({ scoring }) => scoring));
  const [scoring] = scorings;
  const plan: Plan = {
    routers: routers.map(({ path: name, layer, experts, k }, i) => ({ path: name, layer, experts, k, ...tapped[i]! })),
    ...(scorings.size === 1 && scoring && { scoring }),
    warnings: [...contradicted, ...warnings],
    eightBits,
  };
  writeFileSync(path.join(temporary, 'plan.json'), JSON.stringify(plan));
}

/** The routers, sorted by layer. @throws GanderError if there are none, or one has more experts than can be shown */
function routersIn(graph: GraphProto): Router[] {
  const routers = findRouters(graph).sort((a, b) => a.layer - b.layer);
  if (routers.length === 0) throw unrouted(graph);
  for (const { path: name, experts, holder } of routers) {
    if (experts > traceLimits.experts)
      throw new GanderError(
        'model-invalid',
        `${name} chooses among ${experts} experts; at most ${traceLimits.experts} are shown.`,
        'Choose a model with fewer experts.',
      );
    if (holder) checkHolder(graph, holder, name);
  }
  return routers;
}

function unrouted(graph: GraphProto): GanderError {
  const together = roundedTogether(graph);
  if (together !== undefined)
    return new GanderError(
      'model-unrouted',
      `No router was found: the model multiplies in 8 bits (${together}), which Gander does not read.`,
      'Choose an export with float weights, or with weights alone in 4 or 8 bits (MatMulNBits).',
    );
  if (hasMixer(graph))
    return new GanderError(
      'model-unrouted',
      'The model chooses by the largest score alone, in a way that Gander does not read.',
      'Choose a model with a top-k router, or another export.',
    );
  return new GanderError(
    'model-unrouted',
    'The model has no router: all tokens go through the same weights.',
    'Choose a mixture of experts, or a pool of experts for this model.',
  );
}
