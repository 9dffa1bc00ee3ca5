/** The process that reads atlases, which may be anybody's. Without its host it ends. */
import { serveGuarded } from '../engine/guard.js';

/** Bytes of memory: for the largest tables that are read, and the sums of the largest atlas that is made. */
const memory = 4e9;

serveGuarded(__filename, memory, () => import('./serve.js'));
