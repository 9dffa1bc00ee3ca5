/** For a command line that cannot be understood: exit code 2, and where to find help. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What scripts can rely on; docs/cli.md. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, cancelled: 130 } as const;
