// npm run pictures: takes the pictures of the README and the walkthrough again, in the UI tests (the packaged extension in a real VS Code).
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { main, root, run } from './lib/main.mjs';

/** The screenshot of the UI tests that each one is. */
const pictures = {
  'docs/pictures/panel.png': 'dark.png',
  'docs/pictures/what-if.png': 'what-if.png',
  'media/walkthrough/route.png': 'walkthrough-route.png',
  'media/walkthrough/read.png': 'walkthrough-read.png',
  'media/walkthrough/tour.png': 'walkthrough-tour.png',
  'media/walkthrough/what-if.png': 'walkthrough-what-if.png',
  'media/walkthrough/experts.png': 'walkthrough-experts.png',
};

await main(async () => {
  const { code } = await run(process.execPath, [path.join(root, 'scripts/test.mjs'), 'ui']);
  if (code !== 0) return code;
  for (const [picture, shot] of Object.entries(pictures)) {
    copyFileSync(path.join(root, 'artifacts/ui', shot), path.join(root, picture));
  }
  return 0;
});
