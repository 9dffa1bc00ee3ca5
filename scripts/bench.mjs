// npm run bench [-- NAME...] [-- --quick]: runs the benchmarks in bench/**/*.bench.ts, or those whose name contains NAME, each in
// its own process. Prints tables on stdout and writes all numbers to artifacts/bench/.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { main, Remedy, root, run } from './lib/main.mjs';
import { build, setup } from './setup.mjs';

await main(async () => {
  const args = process.argv.slice(2);
  const quick = args.includes('--quick');
  const wanted = args.filter((a) => !a.startsWith('-'));
  const all = /** @type {string[]} */ (readdirSync(path.join(root, 'bench'), { recursive: true }))
    .filter((name) => name.endsWith('.bench.ts'))
    .map((name) => name.split(path.sep).join('/').slice(0, -'.bench.ts'.length))
    .sort();
  const names = all.filter((name) => !wanted.length || wanted.some((w) => name.includes(w)));
  if (!names.length) throw new Remedy(`no such benchmark; there are: ${all.join(', ') || 'none'}`);
  await setup();
  await build();
  const esbuild = await import('esbuild');
  let bad = 0;
  for (const name of names) {
    const bundle = path.join(root, 'out/bench', `${name}.mjs`);
    const folder = JSON.stringify(path.join(root, 'artifacts/bench'));
    await esbuild.build({
      stdin: {
        contents: `import suite from './bench/${name}.bench.ts';
import { runSuite } from './bench/harness.ts';
await runSuite(${JSON.stringify(name)}, suite, ${folder}, ${quick});`,
        resolveDir: root,
      },
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      sourcemap: 'inline',
      logLevel: 'warning',
    });
    // A bundle of ES modules evaluates packages first, so src/engine/runtime/telemetry.ts would be too late.
    const env = { ...process.env, ORT_DISABLE_TELEMETRY: '1' };
    const { code } = await run(process.execPath, ['--enable-source-maps', '--expose-gc', bundle], { env });
    if (code !== 0) bad++;
  }
  return bad ? 1 : 0;
});
