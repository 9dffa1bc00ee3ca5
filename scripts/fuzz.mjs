// npm run fuzz [-- TARGET...] [-- --cases N] [--seed S] [--only I] [--anew]: tries corrupted pools, experts, tokenizers, graphs,
// traces, imports, atlases, packed experts and answers of servers in child processes. Each target's progress is in artifacts/fuzz; the next run continues.
import path from 'node:path';
import { main, root, run } from './lib/main.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  await setup();
  const esbuild = await import('esbuild');
  const bundle = path.join(root, 'out/fuzz/main.mjs');
  await esbuild.build({
    entryPoints: [path.join(root, 'fuzz/main.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  const { code } = await run(process.execPath, ['--enable-source-maps', bundle, ...process.argv.slice(2)]);
  return code;
});
