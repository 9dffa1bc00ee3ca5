import { GanderError } from '../../errors/errors.js';

/** The index of the first number that is not finite, or −1. */
export function firstNotFinite(values: Float32Array): number {
  return values.findIndex((x) => !Number.isFinite(x));
}

/** Such numbers would look as if they were unknown, and the others beside them are wrong, too. */
export function notFinite(what: string): GanderError {
  return new GanderError(
    'base-invalid',
    `The model gives numbers that are not finite (${what}).`,
    'Look for weights that are not finite, or too large for their type, in the base and the experts.',
  );
}
