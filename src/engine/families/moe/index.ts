import type { Family } from '../family.js';
import { looksLikeModel } from './folder.js';
import { MoeModel } from './model.js';

/** An ordinary mixture of experts: an ONNX model whose layers have routers of their own (docs/routers.md). */
export const moe: Family = {
  claims: looksLikeModel,
  open: (chosen, means) => new MoeModel(chosen, means),
};
