import { Caller, inOne } from '../channel/caller.js';
import { isAnswering } from '../channel/messages.js';
import { isObject } from '../checks/plain.js';
import { Child } from '../engine/child.js';
import { GanderError } from '../errors/errors.js';
import type { Warning } from '../requests/description.js';
import { decodeTrace } from '../trace/file/file.js';
import type { Answer, ImportCalls, Job } from './job.js';
import type { Imported } from './trace.js';

/** How long the largest file takes on a slow machine. Milliseconds. */
const longest = 120_000;

export interface ImportOptions {
  /** Absolute path of the child's script, `dist/import.cjs`. */
  readonly entry: string;
  readonly signal?: AbortSignal;
  /** How long it may take. Milliseconds. */
  readonly deadlineMs?: number;
}

/**
 * Imports in a process of its own: a large file would hold up its host for seconds, and a tokenizer is native code.
 * Rejects with a GanderError.
 */
export async function importInChild(
  job: Job,
  { entry, signal, deadlineMs = longest }: ImportOptions,
): Promise<Imported> {
  const child = new Child({
    entry,
    said: (message) => {
      try {
        if (!isAnswering(message)) throw new TypeError('not a message');
        caller.take(message);
      } catch (cause) {
        caller.end(noAnswer(cause));
      }
    },
    ended: ({ how, lastWords }) =>
      caller.end(ended(job.name, lastWords ? 'took too much memory and was ended' : `ended (${how})`)),
  });
  const caller = new Caller<ImportCalls>(
    (message) => child.post(message),
    () => checked,
  );
  const tooLong = () => caller.end(ended(job.name, `took longer than ${deadlineMs / 1000} seconds`));
  const timer = setTimeout(tooLong, deadlineMs);
  try {
    const { trace, warnings } = await caller.ask('import', job, signal ? { signal } : {});
    return { trace: decodeTrace(trace), warnings };
  } finally {
    clearTimeout(timer);
    child.kill();
  }
}

const checked = inOne((said): Answer => {
  const { trace, warnings } = isObject(said) ? said : {};
  if (!(trace instanceof Uint8Array) || !Array.isArray(warnings)) throw new TypeError('no trace');
  return { trace, warnings: warnings.filter(isWarning) };
});

function isWarning(value: unknown): value is Warning {
  return isObject(value) && typeof value['code'] === 'string' && typeof value['text'] === 'string';
}

function noAnswer(cause: unknown): GanderError {
  return new GanderError('internal', 'The import gave no answer.', 'Please report this with the Gander log.', {
    cause,
  });
}

function ended(name: string, why: string): GanderError {
  return new GanderError(
    'import-invalid',
    `${name} could not be imported: the process that read it ${why}.`,
    'Record a shorter text, or name another tokenizer.json.',
  );
}
