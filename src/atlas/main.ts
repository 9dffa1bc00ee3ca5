/** The process that reads atlases, which may be anybody's. Without its host it ends. */
import { isMainThread, workerData } from 'node:worker_threads';
import { guard, type Guarded, startGuard } from '../engine/guard.js';
import type { Asking } from '../channel/messages.js';

/** Bytes of memory: for the largest tables that are read, and the sums of the largest atlas that is made. */
const memory = 4e9;

// The guard's thread must not load all of this a second time.
if (isMainThread) {
  startGuard(__filename, { host: process.ppid, pool: '', memory });
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: Asking) => {
    void import('./serve.js').then(({ answerHost }) => answerHost(message));
  });
} else guard(workerData as Guarded);
