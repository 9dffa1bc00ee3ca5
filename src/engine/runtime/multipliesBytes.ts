import { existsSync, readFileSync } from 'node:fs';
import { eightBitOperators } from '../../graph/rounded.js';

/** Whether a model file names an operator that multiplies 8 bits by 8 bits, or may become one. */
export function multipliesBytes(file: string): boolean {
  if (!existsSync(file)) return false;
  const bytes = readFileSync(file);
  return eightBitOperators.some((operator) => bytes.includes(operator));
}
