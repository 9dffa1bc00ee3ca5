/** What a reader found, as a trace of version 2. */
import { importLimits, traceLimits } from '../checks/limits.js';
import { ganderVersion } from '../product/version.js';
import { blank, blockColumns, type ColumnArray, mapColumns, put } from '../trace/model/columns.js';
import type { Warning } from '../requests/description.js';
import { layerExperts } from '../trace/model/layerExperts.js';
import type { Block, RoutedModule, Trace } from '../trace/model/trace.js';
import type { Model } from './model.js';
import { type ReadModule, type Routing } from './reader.js';
import { unreadable } from './unreadable.js';
import type { ReadTokens } from './tokens.js';

export interface Imported {
  readonly trace: Trace;
  /** What a person should know about it. */
  readonly warnings: readonly Warning[];
}

/** @param name of the file */
export function traceOf(name: string, found: Routing, { tokens, text, warnings }: ReadTokens, model?: Model): Imported {
  const experts = countExperts(found, model);
  const router = found.router ?? { name: model?.type ?? 'unknown' };
  const trace: Trace = {
    source: { kind: found.kind, name: found.name ?? name, versions: { gander: ganderVersion } },
    router: { ...router, k: found.k },
    interventions: [],
    sequences: [{ role: 'text', ...(text !== undefined && { text }), tokens, done: tokens.count, predictions: 0 }],
    expertSets: found.modules.map(({ layer }) => ({ scope: 'layer', experts: layerExperts(layer, experts.count) })),
    modules: found.modules.map(moduleOf),
    blocks: [blockOf(found, tokens.count, experts.count)],
    created: new Date().toISOString(),
  };
  const said = [...found.warnings, ...experts.warnings, ...warnings];
  return { trace, warnings: said.map((line) => ({ code: 'import', text: line })) };
}

/** The number that the file or the model says, or else as many as were seen. */
function countExperts(found: Routing, model?: Model): { readonly count: number; readonly warnings: readonly string[] } {
  const seen = found.chosen.reduce((most, e) => Math.max(most, e), -1) + 1;
  const said = found.experts ?? model?.experts;
  const count = said ?? Math.max(seen, found.k);
  if (count < seen)
    throw unreadable(`it names expert ${seen - 1} of ${count}`, 'Name the config.json of the model that was run.');
  if (count < found.k) throw unreadable(`it chooses ${found.k} of ${count} experts`);
  if (count > traceLimits.experts)
    throw unreadable(`${count} experts are more than the ${traceLimits.experts} that can be shown`);
  if (count * found.modules.length > importLimits.experts)
    throw unreadable(`${found.modules.length} layers of ${count} experts are more than can be shown`);
  return {
    count,
    warnings:
      said === undefined
        ? [`The file does not say how many experts a layer has: ${count} is as many as were seen.`]
        : [],
  };
}

/** By default where transformers' models have their routers, so that runs of a model from elsewhere can be compared. */
function moduleOf({ layer, path }: ReadModule, expertSet: number): RoutedModule {
  return { path: path ?? `model.layers.${layer}.mlp.gate`, layer, kind: 'router', sequence: 0, expertSet };
}

/** @param tokens T: one more than the rows of the file if the last token was not run */
function blockOf({ modules, tokens: rows, k, chosen, weight, score }: Routing, tokens: number, experts: number): Block {
  const S = modules.length;
  const columns = { chosen, ...(weight && { weight }), ...(score && { score }) };
  const wider = (column: ColumnArray, name: keyof typeof blockColumns) => {
    if (rows === tokens) return column;
    const out = blank(blockColumns[name], (column.length / rows) * tokens);
    put(out, column, S, tokens, 0, rows);
    return out;
  };
  return { from: 0, to: S, sequence: 0, experts, k, sharedExperts: 0, ...mapColumns(blockColumns, columns, wider) };
}
