import type { PoolInfo } from '../requests/api.js';
import type { Handlers } from '../requests/ask.js';
import type { SourceDescription } from '../requests/description.js';

/**
 * Where traces come from. What it says of itself tells what it can do; what it cannot do it has no method for. All reject
 * with a GanderError, `cancelled` when the signal fired.
 */
export interface Source extends Handlers {
  describe(): Promise<SourceDescription>;
  /** Of a pool on this machine: all there is to know, for whoever looks after its files. */
  pool?(): Promise<PoolInfo>;
  dispose(): void;
}
