/** Variants of the mixtures in the fixtures: with other experts, or with another form of router. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { tensorBytes } from '../../src/graph/external.js';
import {
  DataType,
  type GraphProto,
  type TensorProto,
  floats,
  int64s,
  node,
  parseModel,
  setInternal,
  writeModel,
} from '../../src/graph/model.js';
import { findRouters } from '../../src/graph/moe/routers.js';
import { root, temporaryFolder } from './support.js';

export const fixtures = path.join(root, 'test/fixtures/moe');

/** A copy of a model's folder with a changed graph. */
export function changed(source: string, change: (graph: GraphProto, folder: string) => void): string {
  const folder = path.join(temporaryFolder(), path.basename(source));
  cpSync(source, folder, { recursive: true });
  const file = path.join(folder, 'model.onnx');
  const model = parseModel(readFileSync(file));
  change(model.graph, folder);
  writeFileSync(file, writeModel(model));
  return folder;
}

/** The same model, in which the experts with these numbers compute something else in every layer. */
export function withOtherExperts(source: string, experts: readonly number[]): string {
  return changed(source, (graph, folder) => {
    const { num_local_experts: count = 8 } = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8')) as {
      readonly num_local_experts?: number;
    };
    const owners = new Map(graph.node.flatMap((n) => n.input.map((name) => [name, n.name])));
    for (const tensor of graph.initializer) {
      if (tensor.dataType !== (DataType.FLOAT as number)) continue;
      const expert = expertOf(tensor.name) ?? expertOf(owners.get(tensor.name) ?? '');
      if (expert !== undefined) triple(tensor, folder, 1, experts.includes(expert) ? [0] : []);
      else if (tensor.dims.length > 2 && tensor.dims[0] === BigInt(count)) triple(tensor, folder, count, experts);
    }
  });
}

/** A tensor's expert, by names like `mlp.experts.3.up_proj` or `experts.gate_up_proj.3_scales`. JetMoE's `select_11` is expert 11 % 8. */
function expertOf(name: string): number | undefined {
  const found = /experts[./](\d+)[./]|experts\.\w+\.(\d+)_scales/.exec(name);
  if (found) return Number(found[1] ?? found[2]);
  const nth = /^select(?:_(\d+))?$/.exec(name);
  return nth ? Number(nth[1] ?? 0) % 8 : undefined;
}

function triple(tensor: TensorProto, folder: string, parts: number, which: readonly number[]): void {
  const bytes = Uint8Array.from(tensorBytes(folder, tensor));
  const values = new Float32Array(bytes.buffer);
  const width = values.length / parts;
  for (const part of which) for (let i = part * width; i < (part + 1) * width; i++) values[i]! *= 3;
  setInternal(tensor, values);
}

export const scale = 16;
export const groups = { count: 4, size: 2, most: 2 };

/**
 * OLMoE with DeepSeek-V2's `group_limited_greedy`: the best experts from the two of four groups with the largest probability. The
 * weights are their probabilities times 16.
 */
export function groupLimited(): string {
  return changed(path.join(fixtures, 'olmoe-transformers'), (graph) => {
    graph.initializer.push(
      int64s('g.shape', [-1, groups.count, groups.size]),
      int64s('g.flat', [-1, groups.count * groups.size]),
      int64s('g.last', [-1]),
      int64s('g.most', [groups.most]),
      floats('g.zero', [], Float32Array.of(0)),
      floats('g.scale', [], Float32Array.of(scale)),
    );
    for (const [i, { chooser, compared }] of findRouters(graph).entries()) {
      const [best, own] = [chooser.output[0]!, (what: string) => `g.${what}.${i}`];
      for (const n of graph.node) n.input = n.input.map((name) => (name === best ? own('weight') : name));
      chooser.input[0] = own('left');
      const before = [
        node('Reshape', [compared, 'g.shape'], [own('grouped')]),
        node('ReduceMax', [own('grouped'), 'g.last'], [own('groups')], { keepdims: 0 }),
        node('TopK', [own('groups'), 'g.most'], [own('top'), own('places')], { axis: -1 }),
        node('Mul', [own('groups'), 'g.zero'], [own('none')]),
        node('Add', [own('none'), 'g.one'], [own('ones')]),
        node('GatherElements', [own('ones'), own('places')], [own('in')], { axis: -1 }),
        node('ScatterElements', [own('none'), own('places'), own('in')], [own('mask')], { axis: -1 }),
        node('Unsqueeze', [own('mask'), 'g.last'], [own('masks')]),
        node('Mul', [own('grouped'), own('masks')], [own('limited')]),
        node('Reshape', [own('limited'), 'g.flat'], [own('left')]),
      ];
      graph.node.splice(
        graph.node.indexOf(chooser),
        1,
        ...before,
        chooser,
        node('Mul', [best, 'g.scale'], [own('weight')]),
      );
    }
    graph.initializer.push(floats('g.one', [], Float32Array.of(1)));
  });
}
