/**
 * Router logits, as transformers returns them with `output_router_logits=True`: a tuple with one (batch · tokens, experts) per
 * layer (https://huggingface.co/docs/transformers/main_classes/output, `MoeCausalLMOutputWithPast`). Saved as .npy, stacked to
 * (layers, tokens, experts), or as safetensors: one tensor `router_logits`, or one per layer whose name contains `router_logits`
 * and ends in the layer's number; `input_ids` beside them are the tokens.
 *
 * For models that take the k largest (config.json says which model it is), the choices follow from the logits; where a bias or a
 * limit to groups decides, they do not.
 */
import { traceLimits } from '../../checks/limits.js';
import { NpyError, readNpy, readNpyHeader } from '../../formats/npy.js';
import {
  type DType,
  parseHeader,
  SafetensorsError,
  type TensorEntry,
  tensorArray,
  toFloat32,
} from '../../formats/safetensors.js';
import { checkCells } from '../choices.js';
import type { Model } from '../model.js';
import { type Given, type Reader, type Routing } from '../reader.js';
import { sayK, unreadable, unsaid } from '../unreadable.js';
import { decide } from '../decide.js';

const floats: readonly DType[] = ['F16', 'BF16', 'F32', 'F64'];
const named = /router_?logits/i;

interface Logits {
  /** One per layer, [T, N]. */
  readonly layers: readonly { readonly layer: number; readonly scores: Float32Array }[];
  readonly tokens: number;
  readonly experts: number;
  readonly ids?: Int32Array;
}

export const npyLogits: Reader = {
  name: '.npy of router logits',
  claims: (first) => {
    try {
      return floats.includes(readNpyHeader(first).dtype);
    } catch (thrown) {
      if (thrown instanceof NpyError) return false;
      throw thrown;
    }
  },
  read: (bytes, given) => routingOf(fromNpy(bytes), given),
};

export const safetensorsLogits: Reader = {
  name: 'safetensors of router logits',
  // Such a file begins with its header's length, followed by JSON.
  claims: (first) => first[8] === 0x7b && named.test(new TextDecoder().decode(first)),
  read: (bytes, given) => routingOf(fromSafetensors(bytes), given),
};

function fromNpy(bytes: Uint8Array): Logits {
  try {
    const { dtype, shape, data } = readNpy(bytes);
    return stacked(shape, toFloat32(dtype, data));
  } catch (thrown) {
    if (thrown instanceof NpyError) throw unreadable(thrown.message, 'Save it with numpy.save.', thrown);
    throw thrown;
  }
}

function fromSafetensors(bytes: Uint8Array): Logits {
  let tensors: readonly TensorEntry[];
  try {
    tensors = [...parseHeader(bytes, bytes.length).tensors.values()];
  } catch (thrown) {
    if (thrown instanceof SafetensorsError) throw unreadable(thrown.message, undefined, thrown);
    throw thrown;
  }
  const routers = tensors.filter(({ name, dtype }) => named.test(name) && floats.includes(dtype));
  const read = ({ dtype, begin, end }: TensorEntry) => toFloat32(dtype, bytes.subarray(begin, end));
  const [first] = routers;
  if (!first) throw unreadable('no tensor in it is named router_logits');
  const logits =
    routers.length === 1 && numberOf(first) === undefined ? stacked(first.shape, read(first)) : byLayer(routers, read);
  const ids = tensors.find(({ name }) => name === 'input_ids');
  if (!ids) return logits;
  if (ids.size !== logits.tokens || !(ids.dtype === 'I64' || ids.dtype === 'I32'))
    throw unreadable(
      `its input_ids are ${ids.dtype} [${ids.shape.join(', ')}], but there are logits of ${logits.tokens} tokens`,
    );
  return { ...logits, ids: Int32Array.from(tensorArray(ids.dtype, bytes.subarray(ids.begin, ids.end)), Number) };
}

function numberOf({ name }: TensorEntry): number | undefined {
  const number = /(\d{1,6})$/.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}

function byLayer(routers: readonly TensorEntry[], read: (entry: TensorEntry) => Float32Array): Logits {
  const layers = routers
    .map((entry) => ({ entry, layer: numberOf(entry) }))
    .sort((a, b) => (a.layer ?? 0) - (b.layer ?? 0));
  const [tokens, experts] = flat(layers[0]!.entry.shape);
  check(layers.length, tokens, experts);
  return {
    tokens,
    experts,
    layers: layers.map(({ entry, layer }, i) => {
      if (layer === undefined || layer === layers[i - 1]?.layer)
        throw unreadable(
          `the name ${JSON.stringify(entry.name.slice(0, 80))} does not end in a layer’s number of its own`,
        );
      if (flat(entry.shape).join() !== `${tokens},${experts}`)
        throw unreadable(
          `its layers have different shapes: [${entry.shape.join(', ')}] is not [${tokens}, ${experts}]`,
        );
      return { layer, scores: read(entry) };
    }),
  };
}

/** [layers, T, N], perhaps with a batch axis of size 1 in between. */
function stacked(shape: readonly number[], all: Float32Array): Logits {
  if (shape.length < 3) throw unreadable(`its shape is (${shape.join(', ')}), not (layers, tokens, experts)`);
  const [layers = 0] = shape;
  const [tokens, experts] = flat(shape.slice(1));
  check(layers, tokens, experts);
  const size = tokens * experts;
  return {
    tokens,
    experts,
    layers: Array.from({ length: layers }, (_, layer) => ({
      layer,
      scores: all.subarray(layer * size, (layer + 1) * size),
    })),
  };
}

/** [T, N], perhaps with a batch axis of size 1 before it. */
function flat(shape: readonly number[]): readonly [number, number] {
  const [tokens, experts] = shape.slice(-2);
  if (tokens === undefined || experts === undefined || shape.slice(0, -2).some((batch) => batch !== 1))
    throw unreadable(
      `a router’s logits are [${shape.join(', ')}], not [tokens, experts]`,
      'Save the logits of one text.',
    );
  return [tokens, experts];
}

function check(layers: number, tokens: number, experts: number): void {
  if (layers * tokens * experts === 0) throw unreadable('it has no logits');
  if (layers > traceLimits.modules || tokens > traceLimits.tokens || experts > traceLimits.experts)
    throw unreadable(`${layers} layers, ${tokens} tokens and ${experts} experts are more than can be shown`);
  checkCells(layers, tokens, experts);
}

function routingOf({ layers, tokens, experts, ids }: Logits, { model, k: said }: Given): Routing {
  const k = said ?? model?.k;
  if (k === undefined) throw unsaid('logits do not show how many experts were chosen', sayK);
  if (k > experts) throw unreadable(`${k} of ${experts} experts cannot be chosen`, `${sayK}.`);
  if (model?.experts !== undefined && model.experts !== experts)
    throw unreadable(
      `it has ${experts} experts, but the model has ${model.experts}`,
      'Name the config.json of the model that was run.',
    );
  const known = knownOf(model);
  const score = new Float32Array(layers.length * tokens * experts);
  layers.forEach(({ scores }, s) => score.set(scores, s * tokens * experts));
  const numbers = numbersOf(
    layers.map(({ layer }) => layer),
    model,
  );
  return {
    kind: 'transformers',
    ...(known && { router: { name: model!.type, scoring: known.scoring } }),
    tokens,
    ...(ids && { ids }),
    modules: numbers.map((layer) => ({ layer })),
    k,
    experts,
    ...decide(score, experts, k, known?.renormalised),
    warnings: known
      ? []
      : [
          'Gander assumes that the experts with the largest logits were chosen: name the model’s config.json to be sure.',
        ],
  };
}

function knownOf(model: Model | undefined) {
  if (!model) return undefined;
  if (!model.decides)
    throw unreadable(
      `for a model of type ${JSON.stringify(model.type.slice(0, 40))}, logits do not show what was chosen`,
      'Save what it chose, too: the package gander-trace does.',
    );
  return model.decides;
}

/** transformers returns logits only of the layers that have experts. */
function numbersOf(layers: readonly number[], model: Model | undefined): readonly number[] {
  const sparse = model?.sparse;
  return sparse?.length === layers.length && layers.every((layer, i) => layer === i) ? sparse : layers;
}
