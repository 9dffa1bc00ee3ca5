import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isNumber, isObject } from '../checks/plain.js';
import { type LastWords, lastWordsAt } from '../protocol/engine.js';

export interface ChildOptions {
  /** Absolute path of its script. */
  readonly entry: string;
  /** Called with each message from the child, unchecked; never after it was killed. */
  readonly said: (message: unknown) => void;
  /** Called once, when the process is gone and all its output has arrived. */
  readonly ended: (how: Ended) => void;
  /** Called with each line that it writes to standard output or error, and with errors of the process itself. */
  readonly log?: ((line: string) => void) | undefined;
}

export interface Ended {
  /** The signal or exit code that it ended with. */
  readonly how: string;
  readonly lastWords: LastWords | undefined;
}

/** A process forked for work that must not be done in this one: it can be killed at any time without harm. */
export class Child {
  readonly #process: ChildProcess;
  #isKilled = false;
  #lastWords = '';

  /** @throws Error if no process can be started */
  constructor({ entry, said, ended, log }: ChildOptions) {
    const { NODE_OPTIONS: _unused, ...env } = process.env;
    this.#process = fork(entry, [], {
      serialization: 'advanced',
      // Not the host's own flags: a debugger's port would clash.
      execArgv: [],
      // In VS Code's extension host the executable is Electron.
      env: { ...env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      if (stream) createInterface(stream).on('line', (line) => log?.(line));
    this.#process.stdio[lastWordsAt]?.on('data', (words: Buffer) => (this.#lastWords += words.toString()));
    this.#process.on('message', (message) => {
      if (!this.#isKilled) said(message);
    });
    this.#process.on('error', (error) => log?.(`child: ${error.message}`));
    // Not `exit`: its last output may arrive after that.
    this.#process.on('close', (code, signal) =>
      ended({ how: signal ?? `exit code ${String(code)}`, lastWords: readLastWords(this.#lastWords) }),
    );
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** @throws Error if the message is not plain data */
  post(message: unknown): void {
    // If it has died meanwhile, `close` reports that.
    if (this.#process.connected) this.#process.send(message as object, () => undefined);
  }

  kill(): void {
    this.#isKilled = true;
    this.#process.kill('SIGKILL');
  }
}

function readLastWords(text: string): LastWords | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && value['type'] === 'memory' && isNumber(value['allowed'])
      ? (value as unknown as LastWords)
      : undefined;
  } catch {
    return undefined;
  }
}
