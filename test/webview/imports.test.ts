/** What other programs wrote can be shown in every view, however little it says. */
import { expect, test } from 'vitest';
import { fixture, model, read } from '../unit/import/fixtures.js';
import { serverDescription } from './fabricate.js';
import type { Panel } from './harness.js';
import { pages } from './pages.js';

const openPage = pages();
let panel: Panel;

test.each(['vllm.npy', 'pairs.csv', 'moe_topk.jsonl', 'onnxruntime.log', 'router_logits.npy'])('%s', async (name) => {
  const { trace, warnings } = await read(fixture(name), name === 'router_logits.npy' ? { model } : {});
  panel = await openPage();
  await panel.post({ type: 'pool', description: { ...serverDescription, warnings } });
  await panel.side('main', { title: name, strategy: { name: 'unknown' }, interventions: [], stale: false, trace });
  await panel.post({ type: 'select', sequence: 0, token: 2, module: 1 });
  const tabs = panel.page.getByRole('tab');
  await expect.poll(() => tabs.count()).toBeGreaterThan(2);
  for (const tab of await tabs.all()) {
    await tab.click();
    await panel.settled();
    const shown = await panel.page.locator('body').innerText();
    expect(shown).not.toMatch(/NaN|undefined|Infinity|\[object/);
  }
  const said = await panel.page.locator('body').innerText();
  expect(said).toContain('token 3 of 18, layer 1');
  if (name === 'moe_topk.jsonl') expect(said).toContain('def add(a, b)');
});
