// The panel's page in Chromium: time from a message's arrival until it is drawn, and frame times while the grid moves.
import { fabricateAnew } from '../test/webview/fabricate.js';
import { launch, Panel, serve } from '../test/webview/harness.js';
import type { Suite } from './harness.js';

const suite: Suite = async (bench) => {
  const module = await serve();
  const browser = await launch();
  try {
    // A different trace each time, because the page caches much of one that it has shown.
    const painted = (panel: Panel, tokens: number) => async (): Promise<number> => {
      await panel.show(fabricateAnew({ tokens }));
      return panel.painted();
    };
    const panel = await Panel.open(browser, module);
    await bench.compare('From message to paint, two frames included', [
      {
        label: 'a message that changes nothing',
        run: async () => {
          await panel.post({ type: 'select', token: -1 });
          return panel.painted();
        },
      },
      { label: '64 tokens × 210 modules', run: painted(panel, 64) },
      { label: '1024 tokens × 210 modules', run: painted(panel, 1024) },
    ]);
    await panel.close();

    const large = await Panel.open(browser, module);
    await large.show(fabricateAnew({ tokens: 4096, bare: true }));
    await large.page.locator('[data-focus="segment-Modules"]').click();
    const frames = bench.quick ? 10 : 60;
    // The median time between frames while something happens in each.
    const during = (what: 'nothing' | 'pan' | 'zoom' | 'hover') =>
      large.page.evaluate(
        async ({ what, frames }) => {
          const scroller = document.querySelector<HTMLElement>('.scroller')!;
          const box = scroller.getBoundingClientRect();
          const next = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
          const blank = document.createElement('canvas');
          [blank.width, blank.height] = [box.width, box.height];
          const context = blank.getContext('2d', { alpha: false })!;
          if (what === 'nothing') document.body.append(blank);
          scroller.scrollTo(0, 0);
          const gaps: number[] = [];
          let last = await next();
          for (let i = 0; i < frames; i++) {
            const at = { clientX: box.left + 200 + (i % 50) * 5, clientY: box.top + 100 + (i % 20) * 6, bubbles: true };
            if (what === 'nothing') {
              context.fillStyle = i % 2 ? '#000' : '#111';
              context.fillRect(0, 0, blank.width, blank.height);
            } else if (what === 'pan') scroller.scrollTo(i * 23, i * 5);
            else if (what === 'zoom')
              scroller.dispatchEvent(
                new WheelEvent('wheel', { ...at, deltaY: i % 40 < 20 ? -60 : 60, ctrlKey: true, cancelable: true }),
              );
            else scroller.dispatchEvent(new PointerEvent('pointermove', at));
            const now = await next();
            gaps.push(now - last);
            last = now;
          }
          blank.remove();
          return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)]!;
        },
        { what, frames },
      );
    await bench.compare(
      'A frame, median, 4096 tokens × 210 modules',
      [
        { label: 'an empty canvas of that size', run: () => during('nothing') },
        { label: 'pan', run: () => during('pan') },
        { label: 'zoom', run: () => during('zoom') },
        { label: 'hover', run: () => during('hover') },
      ],
      { rounds: 7, warmUps: 1 },
    );
    await large.close();
  } finally {
    await browser.close();
    await module.close();
  }
};

export default suite;
