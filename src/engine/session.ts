import type { Attribution, Engine, EngineOptions, GenerateRequest, PoolInfo, RouteRequest, RunOptions, Score } from './api.js';
import type { Trace } from '../trace/trace.js';

export class LocalEngine implements Engine {
  constructor(readonly options: EngineOptions) {}
  pool(): Promise<PoolInfo> {
    throw new Error('to come');
  }
  route(_request: RouteRequest, _options?: RunOptions): Promise<Trace> {
    throw new Error('to come');
  }
  generate(_request: GenerateRequest, _options?: RunOptions): Promise<Trace> {
    throw new Error('to come');
  }
  attribute(_request: RouteRequest, _options?: RunOptions): Promise<Attribution> {
    throw new Error('to come');
  }
  score(_request: RouteRequest, _options?: RunOptions): Promise<Score> {
    throw new Error('to come');
  }
  dispose(): void {}
}
