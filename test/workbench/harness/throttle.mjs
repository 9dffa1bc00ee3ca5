// A slow machine, as a test option: with GANDER_TEST_THROTTLE=4 pages run at a quarter of what this one gives them.

/** How many times slower than they could pages run; whoever sets a limit of time has it so many times longer. */
export const slowdown = Math.max(1, Number(process.env['GANDER_TEST_THROTTLE']) || 1);

/** Slows down a page and what it frames, for as long as it is open. @param {import('playwright-core').Page} page */
export async function throttle(page) {
  if (slowdown === 1) return;
  const session = await page.context().newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: slowdown });
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
