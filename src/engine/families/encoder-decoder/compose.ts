import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Base, copyBase, readGraph } from '../../../graph/base.js';
import { weightOf } from '../../../graph/external.js';
import { type Found, type FoundModule, findModules } from '../../../graph/find.js';
import { opset } from '../../../graph/model.js';
import { crossStates, keepOnly, takeAnyTokens } from '../../../graph/part.js';
import type { Product } from '../../../graph/products.js';
import { eightBitsIn } from '../../../graph/rounded.js';
import type { PairFiles } from '../../../pool/manifest.js';
import type { Pool } from '../../../pool/pool.js';
import { GanderError } from '../../../errors/errors.js';
import type { WholeAdapter } from '../../../strategies/strategy.js';
import type { Cache } from '../../runtime/cache.js';
import {
  type Composed,
  candidates,
  composed,
  eightBitsOfRetriever,
  formOf,
  planOf,
  withinMeans,
  writeRouted,
} from '../lora-pool/compose.js';
import { type FormName } from '../lora-pool/plan.js';
import { pairModule, pairModuleAxis } from '../lora-pool/modules.js';
import { byUse, place } from '../lora-pool/placing.js';
import type { Plan } from '../lora-pool/plan.js';

/**
 * The graphs of an encoder-decoder, in the order in which they run. `cross` is the exported decoder for first tokens, cut down
 * to the keys and values of the cross-attention, which are computed once from the encoder's result. The decoder with a past
 * then reads the whole output, starting from an empty past.
 */
export const graphNames = ['encoder', 'cross', 'decoder'] as const;

/** One of the graphs being composed. */
interface Graph {
  readonly name: (typeof graphNames)[number];
  readonly file: string;
  readonly base: Base;
}

/** @throws GanderError as lora-pool/compose.ts */
export function composePair(
  pool: Pool,
  hash: string,
  cache: Cache,
  wholes: readonly WholeAdapter[],
  form: FormName = formOf(pool),
): Composed {
  return composed(pool, hash, cache, wholes, form, (folder) => composeInto(folder, pool, wholes, form));
}

/** Finds the modules, whichever graph they are in. */
export function findInPair(pool: Pool, paths: Iterable<string>): Found {
  return findIn(readGraphs(pairFiles(pool)), paths).found;
}

function composeInto(folder: string, pool: Pool, wholes: readonly WholeAdapter[], wanted: FormName): Plan {
  const graphs = readGraphs(pairFiles(pool));
  const copies = new Map<string, string>();
  const folderOf = ({ name }: Graph) => path.join(folder, name);
  for (const graph of graphs) {
    mkdirSync(folderOf(graph));
    copyBase(folderOf(graph), graph.file, graph.base, copies);
  }
  const all = candidates(pool, wholes);
  const { found, graphOf } = findIn(graphs, byUse(all));
  const weight = (product: Product) => {
    const graph = graphOf.get(product)!;
    return weightOf(folderOf(graph), graph.base.model.graph, product);
  };
  const placed = withinMeans(place(all, found, weight), wholes);
  const modules = pairModuleAxis(placed.modules);
  const parts = graphs.map(({ base }) => base.model.graph);
  const eightBits = [eightBitsIn(parts, 'base'), ...eightBitsOfRetriever(pool)];
  const form = graphs.some(({ base }) => opset(base.model) < 16) ? 'dense' : wanted;
  const written = graphs.map((graph) => {
    const here = placed.modules.filter(({ products }) => graphOf.get(products[0]!) === graph);
    return writeRouted(folderOf(graph), graph.base, { experts: placed.experts, modules: here }, modules, {
      form,
      weightEpsilon: pool.manifest.weightEpsilon ?? 0,
      predicts: graph.name === 'decoder',
    });
  });
  return planOf(placed, modules, written, eightBits);
}

function pairFiles({ base: { model } }: Pool): PairFiles {
  if (typeof model !== 'string') return model;
  throw new GanderError('pool-invalid', "The pool's base is not an encoder-decoder.", 'See docs/pool-format.md.');
}

function readGraphs(files: PairFiles): Graph[] {
  const remedy = 'Export it with optimum for text2text-generation-with-past, or with gander-training export-base.';
  const encoder = readGraph(files.encoder, ['last_hidden_state'], remedy);
  const cross = readGraph(files.decoder, ['logits'], remedy);
  const decoder = readGraph(files.decoderWithPast, ['logits'], remedy);
  const states = crossStates(cross.model.graph, decoder.model.graph);
  keepOnly(cross.model.graph, new Set(states.values()));
  takeAnyTokens(decoder.model.graph);
  return [
    { name: 'encoder', file: files.encoder, base: encoder },
    { name: 'cross', file: files.decoder, base: cross },
    { name: 'decoder', file: files.decoderWithPast, base: decoder },
  ];
}

/** Looks for each module only in the graph that it belongs to: another graph may have one of the same name. */
function findIn(
  graphs: readonly Graph[],
  paths: Iterable<string>,
): { readonly found: Found; readonly graphOf: ReadonlyMap<Product, Graph> } {
  const all = [...paths];
  const modules = new Map<string, FoundModule>();
  const missing = new Map(
    all.filter((module) => !isOfT5(module)).map((module) => [module, 'it is not a module of a T5']),
  );
  const graphOf = new Map<Product, Graph>();
  for (const graph of graphs) {
    const found = findModules(
      graph.base.model.graph,
      all.filter((module) => isOfT5(module) && graphNameOf(module) === graph.name),
    );
    for (const [name, module] of found.modules) {
      modules.set(name, module);
      for (const product of module.products) graphOf.set(product, graph);
    }
    for (const [module, why] of found.missing) missing.set(module, why);
  }
  return { found: { modules, missing }, graphOf };
}

/** BART and others name their modules differently; which sequence those see is not known here. */
function isOfT5(module: string): boolean {
  return /^(?:encoder|decoder)\.block\.\d+\./.test(module);
}

function graphNameOf(module: string): Graph['name'] {
  const { stack, sequence } = pairModule(module);
  return stack === 'encoder' ? 'encoder' : sequence === 0 ? 'cross' : 'decoder';
}
