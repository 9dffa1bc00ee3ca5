import type { Pool } from '../pool/pool.js';
import type { StrategyName } from '../trace/trace.js';
import type { PoolInfo } from './api.js';
import type { Plan } from './compose.js';

/** What the pool has the files for. */
export function strategiesOf(pool: Pool): StrategyName[] {
  return [
    'base',
    'single',
    'phatgoose',
    ...(pool.retriever && pool.experts.some(({ hasExamples }) => hasExamples) ? (['retrieval'] as const) : []),
    'merged',
    ...(pool.experts.every(({ activations }) => activations) ? (['average-activation'] as const) : []),
    'arrow',
    ...(pool.multitask ? (['multitask'] as const) : []),
  ];
}

/** A pool and its composed graph as others see them. */
export function poolInfo(pool: Pool, hash: string, plan: Plan): PoolInfo {
  const { id, name, description, license, base, topK } = pool.manifest;
  const experts = pool.experts
    .filter((expert) => plan.experts.includes(expert.id))
    .map(({ card, cardFile, adapter, ...expert }) => ({
      id: expert.id,
      name: expert.name,
      rank: adapter.rank,
      bytes: expert.bytes,
      folder: expert.folder,
      ...(card.description !== undefined && { description: card.description }),
      ...(card.license !== undefined && { license: card.license }),
      ...(card.datasets && { datasets: card.datasets }),
      ...(cardFile !== undefined && { card: cardFile }),
    }));
  return {
    id,
    name,
    folder: pool.folder,
    hash,
    baseName: base.name,
    experts,
    modules: plan.modules,
    contextLength: pool.contextLength,
    topK: Math.min(topK, experts.length),
    strategies: strategiesOf(pool),
    warnings: [...pool.warnings, ...plan.warnings],
    ...(description !== undefined && { description }),
    ...(license !== undefined && { license }),
  };
}
