export interface BundledModel {
  /** In `models`; also what the setting and the package call it. */
  readonly folder: string;
  /** As the model itself says that it is called. */
  readonly title: string;
  readonly hint: string;
}

/** The models that ship with Gander. The first, a pool, is used where no other was chosen. */
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
