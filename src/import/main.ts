/** The process in which others' files are read: it serves one job and ends. */
import { isMainThread, workerData } from 'node:worker_threads';
import { guard, type Guarded, startGuard } from '../engine/guard.js';
import type { Job } from './job.js';

/** Bytes: a file at its limit, its columns and the trace. */
const memory = 3e9;

// The guard's thread must not load native modules a second time.
if (isMainThread) {
  startGuard(__filename, { host: process.ppid, pool: '', memory });
  process.on('disconnect', () => process.exit(0));
  process.once('message', (job: Job) => {
    void import('./serve.js')
      .then(({ answer }) => answer(job))
      .then((said) => process.send!(said, undefined, undefined, () => process.disconnect()));
  });
} else guard(workerData as Guarded);
