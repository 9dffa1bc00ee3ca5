// A pool of 166 experts of rank 16, as many as the paper's larger pool: routing with its whole trace compared with the base.
// The experts are random: their output does not matter here, and random gates spread tokens at least as widely as trained ones.
// GANDER_BENCH_EXPERTS and GANDER_BENCH_RANK change the pool, GANDER_BENCH_FORM (dense or gathered) the form.
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Cache } from '../src/engine/runtime/cache.js';
import { compose } from '../src/engine/families/lora-pool/compose.js';
import { type FormName } from '../src/engine/families/lora-pool/plan.js';
import { RoutedSession } from '../src/engine/families/lora-pool/session.js';
import { Tokenizer } from '../src/engine/runtime/tokenizer.js';
import { poolHash } from '../src/pool/hash.js';
import { type Pool, causalModel, readPool } from '../src/pool/pool.js';
import { BaseSession, composeBase } from './base.js';
import type { Bench, Suite } from './harness.js';
import { copyPoolBase, withFolder, writeExperts } from './madeUp.js';
import { tracer } from './sides.js';

const root = process.cwd();
const shipped = path.join(root, 'models/smollm2-135m');
const threads = Number(process.env['GANDER_BENCH_THREADS'] ?? 2);
const experts = Number(process.env['GANDER_BENCH_EXPERTS'] ?? 166);
const rank = Number(process.env['GANDER_BENCH_RANK'] ?? 16);
const form = process.env['GANDER_BENCH_FORM'] as FormName | undefined;

const suite: Suite = (bench) =>
  withFolder(async (temporary) => {
    const folder = path.join(temporary, 'pool');
    copyPoolBase(shipped, folder);
    writeExperts(folder, readPool(shipped).experts[0]!.adapter.modules, { experts, rank });
    await againstBase(bench, readPool(folder), temporary);
  });
export default suite;

async function againstBase(bench: Bench, pool: Pool, temporary: string): Promise<void> {
  const cache = new Cache(path.join(temporary, 'cache'));
  const start = performance.now();
  const composed = compose(pool, poolHash(pool, cache), cache, [], form);
  const { plan } = composed;
  bench.notes['pool'] =
    `${plan.experts.length} experts of rank ${rank}, ${plan.modules.length} modules, ${threads} threads`;
  bench.notes['form'] = plan.form ?? 'dense';
  bench.notes['composed in, s'] = Math.round((performance.now() - start) / 1000);
  bench.notes['composed experts, MiB'] = Math.round(plan.bytes / 2 ** 20);
  const alone = path.join(temporary, 'base');
  mkdirSync(alone);
  const base = await BaseSession.open(composeBase(alone, causalModel(pool)).logits, threads);
  const routed = await RoutedSession.open(composed, threads);
  const trace = tracer(routed, composed, { name: 'phatgoose', k: 2 });
  const text = readFileSync(path.join(root, 'src/engine/client.ts'), 'utf8');
  const { ids } = await new Tokenizer(pool.base.tokenizer).encode(text.slice(0, 6000));
  const compare = async (name: string, done: number, count: number) => {
    const [before, now] = [ids.slice(0, done), ids.slice(done, done + count)];
    const pasts = done > 0 ? [await base.run(before, 0, undefined), await trace(before, 0, undefined)] : [];
    await bench.compare(
      name,
      [
        { label: 'base graph, logits', run: () => base.run(now, done, pasts[0]) },
        { label: 'routed, whole trace', run: () => trace(now, done, pasts[1]) },
      ],
      { rounds: 7, warmUps: 2 },
    );
  };
  await compare('256 tokens', 0, 256);
  await compare('1 token after 64', 64, 1);
  await base.release();
  await routed.release();
}
