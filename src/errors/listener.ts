import { GanderError } from './errors.js';

/** Calls another extension's function; if it throws or its promise rejects, only `failed` gets the error. */
export function heard(call: () => unknown, failed: (error: GanderError) => void): void {
  const fail = (cause: unknown) => {
    const what = cause instanceof Error ? cause.message : String(cause);
    failed(new GanderError('request-invalid', `A listener of the run failed: ${what}`, 'Fix the listener.', { cause }));
  };
  try {
    Promise.resolve(call()).catch(fail);
  } catch (cause) {
    fail(cause);
  }
}
