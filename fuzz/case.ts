/** The outcome of one case, and what is wrong with it, if anything. */
import { errorCodes, type GanderError } from '../src/errors/errors.js';
import { longest, most } from './limits.js';

export interface Outcome {
  /** `answered`, `read`, or the error's code. */
  readonly outcome: string;
  /** The error's message. */
  readonly message: string;
  /** Processor time of a reader that answered; otherwise time on the clock. */
  readonly milliseconds: number;
  /** Most memory in bytes; 0 if unknown. */
  readonly peak: number;
  /** Whether the case ended the process. That is not a fault of a guarded child, which exists for this. */
  readonly ended: boolean;
  readonly problems: readonly string[];
}

/** What a user must never see: slowness, too much memory, untyped errors, no remedy. */
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
