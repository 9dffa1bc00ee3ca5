export interface BundledModel {
  /** Folder in `models`, and the model's name in the setting and the package. */
  readonly folder: string;
  /** The model's own name. */
  readonly title: string;
  readonly hint: string;
}

/** The models that ship with Gander. The first, a pool, is used unless another is chosen. */
export const bundledModels = [
  {
    folder: 'smollm2-135m',
    title: 'SmolLM2-135M with twelve experts',
    hint: 'A pool: LoRA experts from Python to prose, trained apart, each with its own gates',
  },
  {
    folder: 'gosling-moe',
    title: 'Gosling: a small mixture of experts',
    hint: 'A mixture of experts, trained from scratch: its text is poor, its routing is real',
  },
] as const satisfies readonly [BundledModel, ...BundledModel[]];
