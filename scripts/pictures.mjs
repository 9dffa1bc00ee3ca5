// npm run pictures: takes the README's pictures anew, as the UI tests see them (the packaged extension, a real VS Code).
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { main, root, run } from './lib/main.mjs';

/** Where each comes from: a screenshot of the UI tests. */
const pictures = { 'panel.png': 'dark.png', 'what-if.png': 'what-if.png' };

await main(async () => {
  const { code } = await run(process.execPath, [path.join(root, 'scripts/test.mjs'), 'ui']);
  if (code !== 0) return code;
  for (const [picture, shot] of Object.entries(pictures)) {
    copyFileSync(path.join(root, 'artifacts/ui', shot), path.join(root, 'docs/pictures', picture));
  }
  return 0;
});
