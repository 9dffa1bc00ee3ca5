/**
 * .npy of expert ids, (tokens − 1, layers, k), as vLLM (`choices[].routed_experts`,
 * https://docs.vllm.ai/en/latest/training/routed_experts/) and SGLang (`meta_info.routed_experts`, reshaped as its
 * test/…/test_spec_routed_experts does) return it for the prompt and the generated tokens. Each row is a token that was run; the
 * last generated one was not. vLLM has a row per layer with experts, SGLang one for every layer. What was never written is −1 in
 * one version and 0 in others: a token does not choose an expert twice, so a row of equal numbers is not a choice.
 */
import { traceLimits } from '../../checks/limits.js';
import { NpyError, readNpy, readNpyHeader } from '../../formats/npy.js';
import { type DType, tensorArray } from '../../formats/safetensors.js';
import { blank, blockColumns } from '../../trace/model/columns.js';
import { checkCells } from '../choices.js';
import type { Model } from '../model.js';
import { type Reader, type ReadModule, type Routing } from '../reader.js';
import { unreadable } from '../unreadable.js';

const whole: readonly DType[] = ['U8', 'I8', 'U16', 'I16', 'U32', 'I32', 'U64', 'I64'];

export const routedExperts: Reader = {
  name: '.npy of expert ids from vLLM or SGLang',
  claims: (first) => {
    try {
      return whole.includes(readNpyHeader(first).dtype);
    } catch (thrown) {
      if (thrown instanceof NpyError) return false;
      throw thrown;
    }
  },
  read: (bytes, { model }) => {
    const { dtype, shape, data } = npyOf(bytes);
    return { kind: 'file', ...routingOf(shape, tensorArray(dtype, data), model) };
  },
};

/**
 * Turns expert ids in row-major order, of any tokens, into what a reader gives.
 * @param shape (tokens, layers, k)
 * @throws Unreadable
 */
export function routingOf(
  shape: readonly number[],
  numbers: ArrayLike<number | bigint>,
  model?: Pick<Model, 'sparse' | 'layers'>,
): Pick<Routing, 'tokens' | 'k' | 'modules' | 'chosen' | 'warnings'> {
  const [tokens = 0, layers = 0, k = 0] = shape;
  if (shape.length !== 3 || tokens * layers * k === 0)
    throw unreadable(
      `its shape is (${shape.join(', ')}), not (tokens, layers, k)`,
      'Reshape what the server gave before saving it.',
    );
  if (tokens > traceLimits.tokens || layers > traceLimits.modules || k > traceLimits.experts)
    throw unreadable(`its shape is (${shape.join(', ')}), and that is more than can be shown`);
  checkCells(layers, tokens, k);
  const chosen = blank(blockColumns.chosen, layers * tokens * k);
  const row = new Int32Array(k);
  const known = new Uint8Array(layers);
  for (let t = 0; t < tokens; t++)
    for (let s = 0; s < layers; s++) {
      for (let i = 0; i < k; i++) row[i] = expertOf(numbers[(t * layers + s) * k + i]!);
      if (row.includes(-1) || new Set(row).size < k) continue;
      known[s] = 1;
      chosen.set(row, (s * tokens + t) * k);
    }
  const numbered = layersOf(layers, known, model);
  const rows = numbered.map(({ from }) => chosen.subarray(from * tokens * k, (from + 1) * tokens * k));
  const kept = blank(blockColumns.chosen, rows.length * tokens * k);
  rows.forEach((one, s) => kept.set(one, s * tokens * k));
  return {
    tokens,
    k,
    modules: numbered.map(({ layer }): ReadModule => ({ layer })),
    chosen: kept,
    warnings:
      numbered.length < layers
        ? [`${layers - numbered.length} of its ${layers} layers have no choices and are left out.`]
        : [],
  };
}

function npyOf(bytes: Uint8Array) {
  try {
    return readNpy(bytes);
  } catch (thrown) {
    if (thrown instanceof NpyError) throw unreadable(thrown.message, 'Save it with numpy.save.', thrown);
    throw thrown;
  }
}

function expertOf(given: number | bigint): number {
  const expert = Number(given);
  if (expert < -1 || expert >= traceLimits.experts)
    throw unreadable(`it names an expert ${expert}, and at most ${traceLimits.experts} can be shown`);
  return expert;
}

/** Which rows of the layer axis are layers with experts, and their numbers. */
function layersOf(
  layers: number,
  known: Uint8Array,
  model?: Pick<Model, 'sparse' | 'layers'>,
): { from: number; layer: number }[] {
  const all = Array.from({ length: layers }, (_, from) => from);
  const sparse = model?.sparse;
  if (sparse?.length === layers) return all.map((from) => ({ from, layer: sparse[from]! }));
  if (model?.layers === layers && sparse) return sparse.map((layer) => ({ from: layer, layer }));
  if (sparse)
    throw unreadable(
      `it has ${layers} layers, but the model has ${model.layers!}, ${sparse.length} of them with experts`,
      'Name the config.json of the model that was run.',
    );
  const there = all.filter((from) => known[from] === 1);
  if (there.length === 0) throw unreadable('it has no choices');
  return there.map((from) => ({ from, layer: from }));
}
