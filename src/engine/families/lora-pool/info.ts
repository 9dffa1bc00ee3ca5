import path from 'node:path';
import { eightBitWarnings } from '../../../graph/rounded.js';
import type { Pool } from '../../../pool/pool.js';
import type { Processor } from '../../../graph/processor.js';
import { strategiesFor } from '../../../strategies/index.js';
import type { PoolPart } from '../../../strategies/strategy.js';
import type { Expert } from '../../../trace/model/trace.js';
import type { PoolInfo } from '../../../requests/api.js';
import { type Plan, modulesOfPlan } from './plan.js';

/** Names of the strategies that the pool has the files for. */
export function strategiesOf(pool: Pool): string[] {
  const has: Record<PoolPart, boolean> = {
    gates: pool.experts.some(({ gates }) => gates.size > 0),
    retriever: pool.retriever !== undefined && pool.experts.some(({ hasExamples }) => hasExamples),
    activations: pool.experts.every(({ activations }) => activations),
    router: pool.experts.some(({ routerRows }) => routerRows),
    multitask: pool.multitask !== undefined,
    xlora: pool.xlora !== undefined,
  };
  return strategiesFor((Object.keys(has) as PoolPart[]).filter((part) => has[part])).map(({ name }) => name);
}

/** The experts in the graph; the others were left out with a warning. */
export function expertsOf(pool: Pool, plan: Plan): Expert[] {
  return pool.experts.filter(({ id }) => plan.experts.includes(id)).map(({ id, name }) => ({ id, name }));
}

/** What others see of a pool and its composed graph. */
export function poolInfo(
  pool: Pool,
  { hash, baseHash }: Pick<PoolInfo, 'hash' | 'baseHash'>,
  plan: Plan,
  processor: Processor,
): PoolInfo {
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
    kind: 'pool',
    id,
    name,
    folder: pool.folder,
    hash,
    baseName: base.name,
    baseHash,
    experts,
    expertSets: [{ scope: 'pool', experts: expertsOf(pool, plan) }],
    modules: modulesOfPlan(plan),
    contextLength: pool.contextLength,
    ...(typeof base.model !== 'string' && { hasTarget: true }),
    topK: Math.min(topK, experts.length),
    strategies: strategiesOf(pool),
    warnings: [...pool.warnings, ...plan.warnings, ...plan.eightBits.flatMap((of) => eightBitWarnings(of, processor))],
    ...(pool.general && { general: pool.general.folders.map((one) => path.basename(one)) }),
    ...(description !== undefined && { description }),
    ...(license !== undefined && { license }),
  };
}
