import { GanderError } from '../../errors/errors.js';

/** The index of the first number that is none, or −1. */
export function firstNotFinite(values: Float32Array): number {
  return values.findIndex((x) => !Number.isFinite(x));
}

/** Numbers that are none would be shown as if nothing were known, and the rest is wrong beside them. */
export function notFinite(what: string): GanderError {
  return new GanderError(
    'base-invalid',
    `The model gives numbers that are not finite (${what}).`,
    'Look for weights that are not finite, or too large for their type, in the base and the experts.',
  );
}
