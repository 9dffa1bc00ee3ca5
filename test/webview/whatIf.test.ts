/** What the form of what-ifs, and the fields beside it, say they will do. */
import { expect, test } from 'vitest';
import type { Trace } from '../../src/trace/model/trace.js';
import { fabricate } from './fabricate.js';
import { fabricateMoe, moeDescription } from './fabricateMoe.js';
import type { Panel } from './harness.js';
import { pages } from './pages.js';

const openPage = pages();
let panel: Panel;

async function form(trace: Trace): Promise<void> {
  panel = await openPage();
  await panel.show(trace);
  await panel.press('tab-whatIf');
}

const field = (name: string) => panel.page.locator(`[data-focus=whatif-${name}]`);
const said = () => panel.page.locator('.tabBody .form').innerText();

test('a knock-out promises a next best only where one is left', async () => {
  await form(fabricate({ tokens: 40, layers: 2, strategy: { name: 'phatgoose', k: 12 } }));
  await field('expert').selectOption('prose');
  await expect.poll(said).toContain('prose will take no part.');
});

test('what is asked for is shown as running before the host has said anything, until it has answered', async () => {
  panel = await openPage({ isMute: true });
  const progress = () => panel.page.locator('.progress').innerText();
  await panel.show(fabricate({ tokens: 40, layers: 2 }));
  await panel.press('tab-whatIf');
  await field('expert').selectOption('prose');
  await panel.page.locator('[data-focus=whatif-apply]').click();
  await panel.settled();
  expect(await progress()).toContain('prose knocked out');
  expect(await field('apply').getAttribute('aria-disabled')).toBe('true');
  const calls = () =>
    panel.page.evaluate(() =>
      (window as unknown as { sent: { id?: number; name?: string }[] }).sent.filter(({ name }) => name === 'route'),
    );
  expect(await calls()).toHaveLength(1);
  const error = { code: 'cancelled' as const, message: 'Stopped.', remedy: 'Ask again.' };
  await panel.post({ type: 'error', id: (await calls())[0]!.id!, error });
  await expect.poll(() => panel.page.locator('.progress').isVisible()).toBe(false);
  await expect.poll(() => field('apply').getAttribute('aria-disabled')).toBeNull();
});

test('the keyboard goes on in the tab after the last what-if was taken back', async () => {
  await form(fabricate({ tokens: 40, layers: 2, interventions: [{ action: 'knock-out', expert: 'rust', scope: {} }] }));
  await panel.page.locator('[data-focus=undo]').press('Enter');
  await panel.show(fabricate({ tokens: 40, layers: 2 }));
  expect(await panel.page.evaluate(() => document.activeElement!.id)).toBe('tab-body');
});

test('a logit bias is refused where it would change nothing', async () => {
  await form(fabricate({ tokens: 40, layers: 2, strategy: { name: 'merged' } }));
  await field('action').selectOption('logit-bias');
  await expect.poll(said).toContain('The weights are fixed: a logit bias changes nothing.');
  expect(await said()).not.toContain('affinity');
  await panel.show(fabricate({ tokens: 40, layers: 2 }));
  await expect.poll(said).toContain('is added to');
  await field('amount').fill('0');
  await field('amount').blur();
  await expect.poll(said).toContain('An amount of 0 changes nothing.');
  expect(await field('apply').getAttribute('aria-disabled')).toBe('true');
});

test('where no expert takes part, none can be knocked out, alone or in turn', async () => {
  const [apply, inTurn] = [() => field('apply'), () => panel.page.locator('[data-focus=attribute]')];
  await form(fabricate({ tokens: 40, layers: 2, strategy: { name: 'base' } }));
  for (const button of [apply(), inTurn()]) await expect.poll(() => button.getAttribute('aria-disabled')).toBe('true');
  expect(await panel.page.locator('.tabBody').innerText()).toContain('No expert takes part in this run');
  await field('action').selectOption('force');
  await expect.poll(() => apply().getAttribute('aria-disabled')).toBeNull();
});

test('a forced expert has all the weight, beside what stays whatever is chosen', async () => {
  await form(fabricate({ tokens: 40, layers: 2, strategy: { name: 'multitask' } }));
  await field('action').selectOption('force');
  await field('expert').selectOption('prose');
  await expect
    .poll(said)
    .toContain('No other expert is chosen; prose gets all the weight. The whole pool’s adapter stays.');
});

test.each(['0', '13', ''])('k goes back to what it was, and nothing runs, where one types “%s”', async (typed) => {
  await form(fabricate({ tokens: 40, layers: 2 }));
  const k = panel.page.locator('[data-focus=strategy-k]');
  await k.fill(typed);
  await k.blur();
  await expect.poll(() => k.inputValue()).toBe('2');
  await panel.settled();
  expect(await panel.sent('route')).toEqual([]);
});

test('of a mixture, the experts chosen most often are knocked out in turn, and the tab says so', async () => {
  await form(fabricateMoe({ tokens: 60 }));
  const can = { ...moeDescription.can, attribute: true } as const;
  await panel.post({ type: 'pool', description: { ...moeDescription, can } });
  await expect
    .poll(() => panel.page.locator('[data-figure=attribution]').innerText())
    .toContain('One run for each of the 16 experts chosen most often, without it.');
});
