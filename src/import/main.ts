/** The process that reads other programs' files. Its host ends it after one job; without its host it ends, too. */
import { serveGuarded } from '../engine/guard.js';

/** Bytes of memory: for a file at its limit, its columns and the trace. */
const memory = 3e9;

serveGuarded(__filename, memory, () => import('./serve.js'));
