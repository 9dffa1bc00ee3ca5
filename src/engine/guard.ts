/**
 * Watches the engine's child from within while native code holds its main thread: a second thread, which ends the process
 * when its host is gone or when it takes more memory than a pool of its size can need.
 */
import { writeSync } from 'node:fs';
import { totalmem } from 'node:os';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { Asking } from '../channel/messages.js';
import { isAlive } from '../checks/alive.js';
import type { LastWords } from '../protocol/engine.js';
import { lastWordsAt } from '../protocol/engine.js';
import { bytesIn } from './runtime/folder.js';

/** How often to look: memory can fill at a few gigabytes a second. Milliseconds. */
const every = 100;

/** Bytes for any pool, and how many times its size on disk on top: for unpacked weights, keys and values, a trace. */
const least = 4 * 2 ** 30;
const times = 6;

export interface Guarded {
  /** Process id of the host. */
  readonly host: number;
  /** The pool's folder. */
  readonly pool: string;
  /** Bytes of memory that the process may take; by default what the pool's size allows. */
  readonly memory: number | undefined;
}

/** Starts the thread: it runs the same script, which sees that it is not the main thread and calls `guard`. */
export function startGuard(script: string, guarded: Guarded): void {
  // It must not keep the process running.
  new Worker(script, { workerData: guarded }).unref();
}

/**
 * The script of a child that answers its host's calls and ends with it. Its second thread, which runs the same script, watches it.
 * @param load what answers; the second thread must not load it a second time
 * @param memory in bytes
 */
export function serveGuarded(
  script: string,
  memory: number,
  load: () => Promise<{ readonly answerHost: (message: Asking) => unknown }>,
): void {
  if (!isMainThread) {
    guard(workerData as Guarded);
    return;
  }
  startGuard(script, { host: process.ppid, pool: '', memory });
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: Asking) => {
    void load().then(({ answerHost }) => answerHost(message));
  });
}

/** The thread's work. */
export function guard({ host, pool, memory = memoryFor(pool) }: Guarded): void {
  setInterval(() => {
    if (process.memoryUsage.rss() > memory) say({ type: 'memory', allowed: memory });
    else if (isThere(host)) return;
    // Not process.exit, which ends only this thread; ending the main thread in native code would abort.
    process.kill(process.pid, 'SIGKILL');
  }, every);
}

/** Where orphans get a new parent, `process.ppid` changes; on Windows it stays, so the process itself is looked for. */
function isThere(host: number): boolean {
  return process.ppid === host && isAlive(host);
}

function say(words: LastWords): void {
  try {
    writeSync(lastWordsAt, JSON.stringify(words));
  } catch {
    // Nobody is listening; the process ends all the same.
  }
}

function memoryFor(pool: string): number {
  // 0, or more than the machine has, if only the machine sets a limit.
  const container = process.constrainedMemory() || Infinity;
  return allowance(bytesIn(pool), Math.min(container, totalmem()));
}

/** Bytes of memory that an engine may take, by the bytes of its pool and of the machine's memory. */
export function allowance(pool: number, machine: number): number {
  return Math.min(least + times * pool, 0.9 * machine);
}
