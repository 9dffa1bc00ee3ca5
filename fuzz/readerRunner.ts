import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Outcome, problemsOf } from './case.js';
import { patience } from './limits.js';
import { outsideMark, rootsVariable } from './opened.js';
import type { Said, Job } from './reading.js';
import type { Workspace } from './workspace.js';

/** Has the workspace's files read by an unguarded child. If it ends, that is a fault, because the host would end too. */
export class ReaderRunner {
  #child: ChildProcess | undefined;
  readonly #outside: string[] = [];

  constructor(
    private readonly workspace: Workspace,
    private readonly entry: string,
  ) {}

  async run(files: Omit<Job, 'folder'>): Promise<Outcome> {
    const { folder } = this.workspace;
    this.#outside.length = 0;
    const child = (this.#child ??= this.#start());
    const start = performance.now();
    const said = await ask(child, { folder, ...files });
    if (typeof said === 'string') {
      this.close();
      const problems = [said, ...this.#outside];
      return { outcome: said, message: '', milliseconds: performance.now() - start, peak: 0, ended: true, problems };
    }
    const { outcome, error, milliseconds, peak } = said;
    const problems = [...problemsOf(error, milliseconds, peak), ...this.#outside];
    return { outcome, message: error?.message ?? '', milliseconds, peak, ended: false, problems };
  }

  #start(): ChildProcess {
    const env = { ...process.env, [rootsVariable]: JSON.stringify(this.workspace.roots) };
    const child = fork(this.entry, [], {
      serialization: 'advanced',
      execArgv: [],
      env,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    createInterface(child.stderr!).on('line', (line) => {
      if (line.startsWith(outsideMark)) this.#outside.push(line);
    });
    return child;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

/** The child's answer; or a text saying that it ended or did not answer. */
function ask(child: ChildProcess, job: Job): Promise<Said | string> {
  return new Promise((resolve) => {
    const done = (how: Said | string) => {
      clearTimeout(timer);
      child.off('message', hear).off('exit', end);
      resolve(how);
    };
    const hear = (said: unknown) => done(said as Said);
    const end = (code: number | null, signal: string | null) =>
      done(`the process ended (${signal ?? `exit code ${String(code)}`})`);
    const timer = setTimeout(() => done(`no answer in ${patience / 1000} s`), patience);
    child.on('message', hear).on('exit', end);
    child.send(job);
  });
}
