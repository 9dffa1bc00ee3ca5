/** The process that reads other programs' files. Its host ends it after one job; without its host it ends, too. */
import { isMainThread, workerData } from 'node:worker_threads';
import { guard, type Guarded, startGuard } from '../engine/guard.js';
import type { Asking } from '../channel/messages.js';

/** Bytes of memory: for a file at its limit, its columns and the trace. */
const memory = 3e9;

// The guard's thread must not load native modules a second time.
if (isMainThread) {
  startGuard(__filename, { host: process.ppid, pool: '', memory });
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: Asking) => {
    void import('./serve.js').then(({ answerHost }) => answerHost(message));
  });
} else guard(workerData as Guarded);
