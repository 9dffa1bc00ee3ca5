/**
 * onnxruntime's WebGPU provider, for real but without a card: SwiftShader, the Vulkan driver in software that the browser of the
 * other tests brings, held to the same goldens with the same bounds as the processor. It says nothing about speed.
 */
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { findChromium } from '../../scripts/lib/system.mjs';
import { EngineClient } from '../../src/engine/client.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { strategyOfRouter } from '../../src/strategies/index.js';
import { exact as exactly, expectMixture, fixtures, forms } from './mixtures.js';
import { expectAlike, target, text } from './pairs.js';
import { builtEngine, expectLike, goldens, isEmulated, pooled, root, temporaryFolder, tinyPool } from './support.js';
import { asked, exact, requestOf } from './tiny.js';

/** The folder of the driver and of the loader that onnxruntime needs for it, beside the browser. */
function swiftShader(): string | undefined {
  const browser = findChromium();
  // Debian's is a script elsewhere.
  const folders = browser ? [path.dirname(realpathSync(browser)), '/usr/lib/chromium'] : [];
  const parts = ['vk_swiftshader_icd.json', 'libvk_swiftshader.so', 'libvulkan.so.1'];
  return folders.find((folder) => parts.every((part) => existsSync(path.join(folder, part))));
}

const driver = process.platform === 'linux' && !isEmulated ? swiftShader() : undefined;
if (!driver)
  console.warn('NOT TRIED: WebGPU on SwiftShader, as there is no browser that brings vk_swiftshader_icd.json.');

const cache = temporaryFolder();
const before = { ...process.env };
beforeAll(() => {
  // Read by the child's loader as it starts.
  process.env['VK_ICD_FILENAMES'] = path.join(driver ?? '', 'vk_swiftshader_icd.json');
  process.env['LD_LIBRARY_PATH'] = driver;
});
afterAll(() => {
  process.env = before;
});

function clientFor(pool: string, chunk = 128): EngineClient {
  const client = new EngineClient({ entry: builtEngine(), pool, cache, threads: 2, chunk, device: 'webgpu' });
  // Several at once would hold each other up.
  onTestFinished(() => client.dispose());
  return client;
}

/** The largest difference that a try accepts on these models, in nats: on a processor the order of sums alone gives as much. */
const bound = 1e-4;

/** That WebGPU computed it, and that a try found the same. */
function expectWebgpu({ device }: EngineClient, { source }: Trace): void {
  expect(device).toMatchObject({ asked: 'webgpu', provider: 'webgpu', tried: [{ outcome: { result: 'agrees' } }] });
  expect((device!.tried[0]!.outcome as { difference: number }).difference).toBeLessThan(bound);
  expect(source.versions['onnxruntime']).toMatch(/ \(webgpu\)$/);
}

describe.skipIf(!driver)('WebGPU on SwiftShader', { timeout: 300_000 }, () => {
  it('agrees with PyTorch on the tiny pool', { tags: ['slow'] }, async () => {
    const client = clientFor(tinyPool);
    for (const { trace: golden } of asked) {
      const trace = await client.route(requestOf(golden));
      expectWebgpu(client, trace);
      expectLike(trace, golden, exact);
    }
  });

  it('agrees in chunks, over keys and values that were computed before', async () => {
    const client = clientFor(tinyPool, 7);
    const { trace: golden } = asked.find(({ trace }) => pooled(trace).tokens.count > 7)!;
    const trace = await client.route(requestOf(golden));
    expectWebgpu(client, trace);
    expectLike(trace, golden, exact);
  });

  const some = (...names: string[]) => forms.filter(({ name }) => names.includes(name));

  it.each(some('mixtral-transformers', 'qwen3-moe-optimum'))(
    'agrees with transformers on a tiny mixture: $name',
    { tags: ['slow'] },
    async ({ name, trace: golden }) => {
      const client = clientFor(path.join(fixtures, name));
      const trace = await client.route({ text: golden.sequences[0]!.text! });
      expectWebgpu(client, trace);
      expectMixture(trace, golden, exactly);
    },
  );

  // There, GroupQueryAttention and QMoE gave something else with onnxruntime 1.30.
  it.each(some('lfm2-moe-genai', 'gpt-oss-genai-int4'))(
    'computes it right, or leaves it to the processor: $name',
    { tags: ['slow'] },
    async ({ name, trace: golden }) => {
      const client = clientFor(path.join(fixtures, name));
      expectMixture(await client.route({ text: golden.sequences[0]!.text! }), golden, exactly);
      const { result } = client.device!.tried[0]!.outcome;
      expect([client.device!.provider, result]).toEqual(result === 'agrees' ? ['webgpu', result] : ['cpu', 'differs']);
    },
  );

  it('agrees with PyTorch on a tiny T5', { tags: ['slow'] }, async () => {
    const client = clientFor(path.join(root, 'test/fixtures/tiny-t5'));
    for (const { name, trace: golden } of goldens('tiny-t5')) {
      const written = name.endsWith('-generated');
      const trace = await client.route({
        text,
        strategy: strategyOfRouter(golden.router),
        interventions: golden.interventions,
        ...(written ? { maxTokens: 19 } : { target }),
      });
      expectWebgpu(client, trace);
      expectAlike(trace, golden);
    }
  });
});
