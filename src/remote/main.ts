/** The process that talks to a server: its answers are large, and reading them here holds up nothing else. */
import { isMainThread, workerData } from 'node:worker_threads';
import { guard, type Guarded } from '../engine/guard.js';

if (isMainThread)
  void Promise.all([import('../engine/serve.js'), import('./index.js')]).then(([{ serve }, { remoteEngine }]) =>
    serve(remoteEngine),
  );
else guard(workerData as Guarded);
