// The platforms that packages are built for, and the native files that each needs to run on the CPU.

/** @typedef {{ runtime: string, libraries: string[], tokenizers: string }} Target */

/** @type {Record<string, Target>} no darwin-x64: onnxruntime has none since 1.24 */
export const targets = {
  'linux-x64': { runtime: 'linux/x64', libraries: ['libonnxruntime.so.1'], tokenizers: 'linux-x64-gnu' },
  'linux-arm64': { runtime: 'linux/arm64', libraries: ['libonnxruntime.so.1'], tokenizers: 'linux-arm64-gnu' },
  'darwin-arm64': { runtime: 'darwin/arm64', libraries: ['libonnxruntime.1.dylib'], tokenizers: 'darwin-arm64' },
  // onnxruntime.dll loads the DirectX libraries beside it only if a graphics processor is requested, so they are left out.
  'win32-x64': { runtime: 'win32/x64', libraries: ['onnxruntime.dll'], tokenizers: 'win32-x64-msvc' },
  'win32-arm64': { runtime: 'win32/arm64', libraries: ['onnxruntime.dll'], tokenizers: 'win32-arm64-msvc' },
};

/** The native files of a target, by package. @param {Target} target */
export const natives = (target) => ({
  'onnxruntime-node': [...target.libraries, 'onnxruntime_binding.node'].map(
    (file) => `bin/napi-v6/${target.runtime}/${file}`,
  ),
  tokenizers: [`tokenizers.${target.tokenizers}.node`],
});
