/** Every kind of failure that a user may see. Programs match on the code; the message and the remedy are for people. */
export const errorCodes = [
  'cancelled',
  'pool-missing',
  'pool-invalid',
  'pool-unsafe-path',
  'expert-invalid',
  'base-invalid',
  'model-missing',
  'model-invalid',
  'model-unrouted',
  'module-not-placed',
  'tokenizer-invalid',
  'text-empty',
  'text-too-long',
  'strategy-unavailable',
  'request-invalid',
  'trace-invalid',
  'trace-newer',
  'import-invalid',
  'engine-died',
  'engine-unavailable',
  'device-failed',
  'server-unreachable',
  'server-refused',
  'server-unknown',
  'server-unrouted',
  'server-invalid',
  'server-failed',
  'server-busy',
  'source-unreachable',
  'source-refused',
  'source-missing',
  'io',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** An error as it crosses a process or page boundary. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  /** What the user can do about it, in one sentence. */
  readonly remedy: string;
}

/** Whether two errors say the same, regardless of where they came from. */
export function isSameError(a: ErrorData, b: ErrorData): boolean {
  return a.code === b.code && a.message === b.message && a.remedy === b.remedy;
}

export class GanderError extends Error {
  override readonly name = 'GanderError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  toData(): ErrorData {
    return { code: this.code, message: this.message, remedy: this.remedy };
  }

  static fromData(data: ErrorData): GanderError {
    return new GanderError(data.code, data.message, data.remedy);
  }

  /** Converts anything thrown; what is not a GanderError becomes `internal`. */
  static from(thrown: unknown): GanderError {
    if (thrown instanceof GanderError) return thrown;
    // Each bundle has its own copy of the class.
    if (thrown instanceof Error && thrown.name === 'GanderError' && 'code' in thrown && 'remedy' in thrown)
      return new GanderError(thrown.code as ErrorCode, thrown.message, thrown.remedy as string, { cause: thrown });
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new GanderError('internal', message, 'Please report this with the Gander log.', { cause: thrown });
  }
}
