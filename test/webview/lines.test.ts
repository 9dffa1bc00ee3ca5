/** The map of a text's lines: beside the editor's own, or an overview of a long file. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fabricate } from './fabricate.js';
import { fabricateMoe } from './fabricateMoe.js';
import type { Panel, Setup } from './harness.js';
import { pages, pictures } from './pages.js';
import { themeNames } from './themes.js';

const openPage = pages();
let panel: Panel;

async function open(setup: Setup = {}): Promise<void> {
  panel = await openPage(setup);
}

const showLines = () => panel.page.locator('[data-focus=segment-Lines]').click();

describe('pictures to look at', () => {
  test.each(themeNames.slice(0, 3).flatMap((theme) => [400, 700].map((width) => ({ theme, width }))))(
    '$theme $width',
    async ({ theme, width }) => {
      await open({ theme, width, height: 780 });
      await panel.show(fabricate());
      await panel.post({ type: 'textInSight', is: true });
      await panel.post({ type: 'lines', lines: { runs: [[0, 11]], height: 18 } });
      await panel.post({ type: 'visible', lines: { from: 2, to: 12 } });
      await panel.post({ type: 'select', token: 60, site: 100 });
      if (width > 460) await showLines();
      await panel.settled();
      await panel.page.screenshot({ path: join(pictures, `lines-${theme}-${width}.png`) });
      await panel.page.locator('[data-focus=segment-Experts]').click();
      await panel.settled();
      await panel.page.screenshot({ path: join(pictures, `lines-${theme}-${width}-experts.png`) });
      await panel.show(fabricateMoe());
      await panel.page.locator('[data-focus=segment-Layers]').click();
      await panel.settled();
      await panel.page.screenshot({ path: join(pictures, `lines-${theme}-${width}-moe.png`) });
    },
  );
});
