// npm run build: builds dist/, with source maps.
import { main } from './lib/main.mjs';
import { build, setup } from './setup.mjs';

await main(async () => {
  await setup();
  await build();
  return 0;
});
