// A slow machine, as a test option: with GANDER_TEST_THROTTLE=4 pages run at a quarter of what this one gives them.

/** How many times slower than they could pages run; whoever sets a limit of time has it so many times longer. */
export const slowdown = Math.max(1, Number(process.env['GANDER_TEST_THROTTLE']) || 1);

/** @type {WeakMap<import('playwright-core').Page, import('playwright-core').CDPSession>} */
const sessions = new WeakMap();

/** Slows down a page and what it frames, until it rests. @param {import('playwright-core').Page} page */
export async function throttle(page) {
  if (slowdown === 1) return;
  const known = sessions.get(page);
  const session = known ?? (await page.context().newCDPSession(page));
  await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
  if (known) return;
  sessions.set(page, session);
  page.on('framenavigated', (frame) => {
    if (frame === page.mainFrame()) return;
    // A frame of the page's own process is slow already, and has no session.
    page
      .context()
      .newCDPSession(frame)
      .then((own) => own.send('Emulation.setCPUThrottlingRate', { rate: slowdown }))
      .catch(() => undefined);
  });
}

/** A page that is slowed down takes a processor's time even while it does nothing. @param {import('playwright-core').Page} page */
export async function rest(page) {
  await sessions.get(page)?.send('Emulation.setCPUThrottlingRate', { rate: 1 });
}
