/** Files that an expert's folder must and may contain (docs/pool-format.md); nothing else in it is read. */
export const neededFiles = ['adapter_config.json', 'adapter_model.safetensors'] as const;
const optionalFiles = ['gate.safetensors', 'activation.safetensors', 'examples.safetensors', 'README.md'] as const;
export const expertFiles = [...neededFiles, ...optionalFiles] as const;
