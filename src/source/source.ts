import type {
  AttributeRequest,
  Attribution,
  GenerateRequest,
  Lens,
  LensRequest,
  PoolInfo,
  RouteRequest,
  RunOptions,
  Score,
} from '../requests/api.js';
import type { SourceDescription } from '../requests/description.js';
import type { Trace } from '../trace/model/trace.js';

/**
 * Where traces come from. What it says of itself tells what it can do; what it cannot do it has no method for. All reject
 * with a GanderError, `cancelled` when the signal fired.
 */
export interface Source {
  describe(): Promise<SourceDescription>;
  route(request: RouteRequest, options?: RunOptions): Promise<Trace>;
  generate?(request: GenerateRequest, options?: RunOptions): Promise<Trace>;
  attribute?(request: AttributeRequest, options?: RunOptions): Promise<Attribution>;
  score?(request: RouteRequest, options?: RunOptions): Promise<Score>;
  lens?(request: LensRequest, options?: RunOptions): Promise<Lens>;
  /** Of a pool on this machine: all there is to know, for whoever looks after its files. */
  pool?(): Promise<PoolInfo>;
  dispose(): void;
}
