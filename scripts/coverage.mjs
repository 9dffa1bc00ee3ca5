// npm run coverage: coverage of the tests that need no editor; the report is coverage/index.html.
import path from 'node:path';
import { main, root, run } from './lib/main.mjs';
import { needChromium } from './lib/system.mjs';
import { build, setup } from './setup.mjs';

await main(async () => {
  await setup();
  await needChromium();
  await build();
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  const projects = ['unit', 'engine', 'webview'].flatMap((name) => ['--project', name]);
  return (await run(process.execPath, [vitest, 'run', ...projects, '--coverage'])).code;
});
