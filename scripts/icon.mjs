// Draws media/icon.png from media/logo.svg; run it after changing the logo.
import path from 'node:path';
import { launchBrowser } from '../test/workbench/harness/vscode.mjs';
import { main, root } from './lib/main.mjs';

await main(async () => {
  const browser = await launchBrowser();
  const page = await browser.newPage({ viewport: { width: 128, height: 128 } });
  await page.goto(`file://${path.join(root, 'media/logo.svg')}`);
  await page.screenshot({ path: path.join(root, 'media/icon.png'), omitBackground: true });
  await browser.close();
  return 0;
});
