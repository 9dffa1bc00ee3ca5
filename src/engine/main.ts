/** The engine's child process: serves one host over the channel it was forked with, and ends with it. */
import { isMainThread, workerData } from 'node:worker_threads';
import { guard, type Guarded } from './guard.js';

// The guard's thread must not load native modules a second time.
if (isMainThread)
  void Promise.all([import('./serve.js'), import('./local.js')]).then(([{ serve }, { createEngine }]) =>
    serve(createEngine),
  );
else guard(workerData as Guarded);
