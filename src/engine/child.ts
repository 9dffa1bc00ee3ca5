import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isNumber, isObject } from '../checks/plain.js';
import { type LastWords, lastWordsAt } from '../protocol/engine.js';

export interface ChildOptions {
  /** Absolute path of its script. */
  readonly entry: string;
  /** What it says, whatever that is; nothing after it was killed. */
  readonly said: (message: unknown) => void;
  /** Once: it is gone, and has said all that it had to say. */
  readonly ended: (how: Ended) => void;
  /** A line that it wrote to its standard output or error, or that is to be said of it. */
  readonly log?: ((line: string) => void) | undefined;
}

export interface Ended {
  /** By which signal, or with which exit code. */
  readonly how: string;
  readonly lastWords: LastWords | undefined;
}

/** A process that is forked for work that must not be done here: it can be killed at any time, and harms nobody. */
export class Child {
  readonly #process: ChildProcess;
  #isKilled = false;
  #lastWords = '';

  /** @throws Error where no process can be started */
  constructor({ entry, said, ended, log }: ChildOptions) {
    const { NODE_OPTIONS: _unused, ...env } = process.env;
    this.#process = fork(entry, [], {
      serialization: 'advanced',
      // Not the host's own flags: a debugger's port among them would clash.
      execArgv: [],
      // In an editor's host the executable is Electron.
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
    // Not `exit`: what it wrote before its end may come after that.
    this.#process.on('close', (code, signal) =>
      ended({ how: signal ?? `exit code ${String(code)}`, lastWords: readLastWords(this.#lastWords) }),
    );
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** @throws Error where the message is not plain data */
  post(message: unknown): void {
    // One that died meanwhile is noticed by its end.
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
