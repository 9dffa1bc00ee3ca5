// The processors that tests may name, and what emulates them.
import { say } from './main.mjs';
import { findQemu } from './system.mjs';

export const processors = ['Haswell', 'Nehalem'];

/**
 * Runs the engine's goldens with onnxruntime on other processors (test/processors).
 *
 * @template T
 * @param {() => Promise<T>} tests
 * @returns {Promise<T | { passed: 0, failed: readonly string[], skipped: number }>} one skipped for each processor if they cannot be emulated
 */
export async function onProcessors(tests) {
  const { qemu, why } = await findQemu();
  if (qemu) {
    process.env['GANDER_TEST_QEMU'] = qemu;
    return tests();
  }
  say(`Skipped: ${why}`);
  return { passed: 0, failed: [], skipped: processors.length };
}
