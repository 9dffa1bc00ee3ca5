import type { Engine, EngineOptions } from './api.js';

/**
 * The engine in this process: what the command line uses, and what the forked child serves.
 *
 * Nothing heavy happens here: the pool is read and the graph composed on the first request that needs them.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { LocalEngine } = await import('./session.js');
  return new LocalEngine(options);
}
