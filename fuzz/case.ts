/** One case: what came of it, and what is wrong with that, if anything. */
import { errorCodes, type GanderError } from '../src/errors/errors.js';
import { longest, most } from './limits.js';

export interface Outcome {
  /** `answered`, `read`, or the error's code. */
  readonly outcome: string;
  /** What the error said. */
  readonly message: string;
  readonly milliseconds: number;
  /** Bytes; 0 where it is not known. */
  readonly peak: number;
  /** The process ended over it. For a guarded child that is what it is there for. */
  readonly ended: boolean;
  readonly problems: readonly string[];
}

/** What a person must never meet. */
export function problemsOf(
  error: Pick<GanderError, 'code' | 'message' | 'remedy'> | undefined,
  milliseconds: number,
  peak: number,
): string[] {
  const problems: string[] = [];
  if (milliseconds > longest) problems.push(`took ${Math.round(milliseconds / 1000)} s`);
  if (peak > most) problems.push(`held ${(peak / 1e9).toFixed(1)} GB`);
  if (!error) return problems;
  if (error.code === 'internal') problems.push(`internal: ${error.message}`);
  if (!errorCodes.includes(error.code)) problems.push(`no code: ${error.code}`);
  if (error.remedy === '') problems.push('no remedy');
  return problems;
}
