/**
 * What watches the engine's child from within while native code holds its main thread: a second thread, which ends the
 * process when its host is gone or when it takes more memory than a pool of its size can need.
 */
import { writeSync } from 'node:fs';
import { totalmem } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { LastWords } from '../protocol/engine.js';
import { lastWordsAt } from '../protocol/engine.js';
import { bytesIn } from './runtime/folder.js';

/** Memory fills at a few gigabytes a second. Milliseconds. */
const every = 100;

/** What a small pool may take, and how often over what lies on disk: weights unpacked, keys and values, a trace. */
const least = 4 * 2 ** 30;
const times = 6;

export interface Guarded {
  /** Process id of the host. */
  readonly host: number;
  /** The pool's folder. */
  readonly pool: string;
  /** Bytes that the process may hold; what the pool's size allows, if not told. */
  readonly memory: number | undefined;
}

/** Starts the thread: the same script, which sees that it is not the main one and calls `guard`. */
export function startGuard(script: string, guarded: Guarded): void {
  // It is no reason for the process to go on.
  new Worker(script, { workerData: guarded }).unref();
}

/** The thread's work. */
export function guard({ host, pool, memory = memoryFor(pool) }: Guarded): void {
  setInterval(() => {
    if (process.memoryUsage.rss() > memory) say({ type: 'memory', allowed: memory });
    else if (isThere(host)) return;
    // Not process.exit, which ends this thread alone; and to end the main one in native code aborts.
    process.kill(process.pid, 'SIGKILL');
  }, every);
}

/** `process.ppid` becomes another where parents are inherited; on Windows it stays, and the process is looked for. */
function isThere(host: number): boolean {
  if (process.ppid !== host) return false;
  try {
    process.kill(host, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function say(words: LastWords): void {
  try {
    writeSync(lastWordsAt, JSON.stringify(words));
  } catch {
    // Nobody listens; it ends all the same.
  }
}

function memoryFor(pool: string): number {
  // 0, or more than there is, where nothing but the machine sets a limit.
  const container = process.constrainedMemory() || Infinity;
  return allowance(bytesIn(pool), Math.min(container, totalmem()));
}

/** Bytes that an engine may hold, for a pool of so many bytes on a machine of so many. */
export function allowance(pool: number, machine: number): number {
  return Math.min(least + times * pool, 0.9 * machine);
}
