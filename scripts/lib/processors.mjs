// Processors that a test may name, and what runs them.
import { say } from './main.mjs';
import { findQemu } from './system.mjs';

export const processors = ['Haswell', 'Nehalem'];

/**
 * The engine's goldens with onnxruntime on other processors (test/processors).
 *
 * @template T
 * @param {() => Promise<T>} tests
 * @returns {Promise<T | { passed: 0, failed: 0, skipped: number }>} of which each processor is one where it cannot be
 */
export async function onProcessors(tests) {
  const { qemu, why } = await findQemu();
  if (qemu) {
    process.env['GANDER_TEST_QEMU'] = qemu;
    return tests();
  }
  say(`Skipped: ${why}`);
  return { passed: 0, failed: 0, skipped: processors.length };
}
