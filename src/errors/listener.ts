import { GanderError } from './errors.js';

/** Calls another's function; if it throws or its promise rejects, `failed` hears of it and nothing else does. */
export function heard(call: () => unknown, failed: (error: GanderError) => void): void {
  const fail = (cause: unknown) => {
    const what = cause instanceof Error ? cause.message : String(cause);
    failed(
      new GanderError('request-invalid', `What listens to the run failed: ${what}`, 'Mend the listener.', { cause }),
    );
  };
  try {
    Promise.resolve(call()).catch(fail);
  } catch (cause) {
    fail(cause);
  }
}
