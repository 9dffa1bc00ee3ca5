/** A pool on a T5: any of its files, and the three graphs of its base. */
import path from 'node:path';
import { spoilGraph } from './graphs.js';
import { spoilPool } from './pools.js';
import type { Target } from './target.js';

const graphs = ['encoder_model.onnx', 'decoder_model.onnx', 'decoder_with_past_model.onnx'];

export const encoderDecoders: Target = {
  name: 'encoder-decoders',
  runner: 'engine',
  begins: 't5',
  spoil: (folder, random) =>
    random.chance(0.5) ? spoilPool(folder, random) : spoilGraph(path.join(folder, 'base', random.pick(graphs)), random),
};
