// npm run evaluate [-- OPTION...]: bundles evaluate/ and runs it with the options (see --help).
import path from 'node:path';
import { main, root, run } from './lib/main.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  await setup();
  const esbuild = await import('esbuild');
  const bundle = path.join(root, 'out/evaluate.cjs');
  await esbuild.build({
    stdin: { contents: "import { start } from './evaluate/main.ts'; void start();", resolveDir: root },
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    sourcemap: 'linked',
    external: ['onnxruntime-node', 'tokenizers'],
    logLevel: 'warning',
  });
  const { code } = await run(process.execPath, ['--enable-source-maps', bundle, ...process.argv.slice(2)]);
  return code;
});
