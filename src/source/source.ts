import type { PoolInfo } from '../requests/api.js';
import type { Handlers } from '../requests/ask.js';
import type { SourceDescription } from '../requests/description.js';

/**
 * Where traces come from. Its description says what it can do; for what it cannot do it has no method. All reject with a
 * GanderError: `cancelled` if the signal fires.
 */
export interface Source extends Handlers {
  describe(): Promise<SourceDescription>;
  /** For a pool on this machine: all that is known about it, for code that handles its files. */
  pool?(): Promise<PoolInfo>;
  dispose(): void;
}
