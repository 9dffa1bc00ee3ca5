// Simulates a slow machine: with GANDER_TEST_THROTTLE=4, pages run at a quarter of their speed.

/** How many times slower pages run; time limits must be multiplied by it. */
export const slowdown = Math.max(1, Number(process.env['GANDER_TEST_THROTTLE']) || 1);

/** @type {WeakMap<import('playwright-core').Page, import('playwright-core').CDPSession>} */
const sessions = new WeakMap();

/** Slows down a page and its frames, until `rest`. @param {import('playwright-core').Page} page */
export async function throttle(page) {
  if (slowdown === 1) return;
  const known = sessions.get(page);
  const session = known ?? (await page.context().newCDPSession(page));
  await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
  if (known) return;
  sessions.set(page, session);
  page.on('framenavigated', (frame) => {
    if (frame === page.mainFrame()) return;
    // A frame in the page's own process is already slow, and has no session.
    page
      .context()
      .newCDPSession(frame)
      .then((own) => own.send('Emulation.setCPUThrottlingRate', { rate: slowdown }))
      .catch(() => undefined);
  });
}

/** Ends the slowdown, because a slowed page takes processor time even when idle. @param {import('playwright-core').Page} page */
export async function rest(page) {
  await sessions.get(page)?.send('Emulation.setCPUThrottlingRate', { rate: 1 });
}
