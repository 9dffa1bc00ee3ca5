import { GanderError } from '../../../errors/errors.js';
import type { Family } from '../family.js';
import { looksLikeModel } from './folder.js';
import { MoeModel } from './model.js';

/** An ordinary mixture of experts: an ONNX model whose layers have routers of their own (docs/routers.md). */
export const moe: Family = {
  claims: looksLikeModel,
  open: (chosen, means, tried) => {
    if (tried === undefined) return new MoeModel(chosen, means);
    throw new GanderError(
      'request-invalid',
      'The experts of a mixture were trained together: no others can be added.',
      'Choose a pool of experts.',
    );
  },
};
