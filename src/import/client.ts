import { fork } from 'node:child_process';
import { GanderError } from '../errors/errors.js';
import { isObject } from '../checks/plain.js';
import type { Warning } from '../requests/description.js';
import { decodeTrace } from '../trace/file/file.js';
import { isErrorData } from '../transport/childMessage.js';
import type { Job } from './job.js';
import type { Imported } from './trace.js';

/** As long as the largest file takes on a slow machine. Milliseconds. */
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
export async function importInChild(job: Job, options: ImportOptions): Promise<Imported> {
  const { trace, warnings } = await askChild(job, options);
  return { trace: decodeTrace(trace), warnings };
}

interface Read {
  readonly trace: Uint8Array;
  readonly warnings: readonly Warning[];
}

function askChild(job: Job, { entry, signal, deadlineMs = longest }: ImportOptions): Promise<Read> {
  const child = fork(entry, [], {
    serialization: 'advanced',
    // Not the host's own flags: a debugger's port among them would clash.
    execArgv: [],
    // In an editor's host the executable is Electron.
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      child.kill('SIGKILL');
      act();
    };
    const fail = (why: string) => end(() => reject(ended(job.name, why)));
    const cancel = () =>
      end(() => reject(new GanderError('cancelled', 'The import was cancelled.', 'Start it again.')));
    const timer = setTimeout(() => fail(`took longer than ${deadlineMs / 1000} seconds`), deadlineMs);
    child.on('message', (said) => end(() => settle(said, resolve, reject)));
    child.on('error', (error) => fail(error.message));
    // Not `exit`: an answer may still be on its way.
    child.on('close', (code, signal) => fail(`ended (${signal ?? `exit code ${String(code)}`})`));
    signal?.addEventListener('abort', cancel);
    if (signal?.aborted) cancel();
    // A child that is gone says so itself.
    else child.send(job, () => undefined);
  });
}

function settle(said: unknown, resolve: (answer: Read) => void, reject: (error: GanderError) => void): void {
  const { trace, warnings, error } = isObject(said) ? said : {};
  if (isErrorData(error)) reject(GanderError.fromData(error));
  else if (trace instanceof Uint8Array && Array.isArray(warnings))
    resolve({ trace, warnings: warnings.filter(isWarning) });
  else reject(new GanderError('internal', 'The import gave no answer.', 'Please report this with the Gander log.'));
}

function isWarning(value: unknown): value is Warning {
  return isObject(value) && typeof value['code'] === 'string' && typeof value['text'] === 'string';
}

function ended(name: string, why: string): GanderError {
  return new GanderError(
    'import-invalid',
    `${name} could not be imported: the process that read it ${why}.`,
    'Record a shorter text, or name another tokenizer.json.',
  );
}
