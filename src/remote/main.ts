/** The process that speaks with a server: what it answers is large, and read where it holds up nobody. */
import { isMainThread, workerData } from 'node:worker_threads';
import { guard, type Guarded } from '../engine/guard.js';

if (isMainThread)
  void Promise.all([import('../engine/serve.js'), import('./index.js')]).then(([{ serve }, { remoteEngine }]) =>
    serve(remoteEngine),
  );
else guard(workerData as Guarded);
