// npm run page [-- TRACE]: serves the panel's page to a browser, with a trace file or one of the fixtures, and rebuilds and
// reloads it when a source file or the trace changes. `?theme=light` and the others: test/webview/themes.ts.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { html } from '../test/webview/html.mjs';
import { atEnd, main, Remedy, root, say } from './lib/main.mjs';
import { askedPort } from './lib/port.mjs';
import { setup } from './setup.mjs';

const fixture = path.join(root, 'test/fixtures/golden/smollm2-135m/phatgoose-k2-html.safetensors');

/** Throws a remedy if Gander cannot read the trace. @param {string} file */
async function check(file) {
  const { decodeTrace } = await bundled('src/trace/file/file.ts');
  try {
    decodeTrace(bytesOf(file));
  } catch (error) {
    if (error instanceof Remedy) throw error;
    const { message, remedy } = /** @type {import('../src/errors/errors.js').GanderError} */ (error);
    throw new Remedy(`${file}: ${message} ${remedy}`);
  }
}

/** @param {string} file */
function bytesOf(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code = String(error) } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new Remedy(`${file} cannot be read (${code}); name a trace file: npm run page -- FILE`);
  }
}

/** Bundles and imports a TypeScript module. @param {string} file */
async function bundled(file) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [path.join(root, file)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]?.contents ?? []).toString('base64')}`);
}

/**
 * The host's part is in the page itself (test/webview/replay.ts), and the trace is a file beside it.
 * @param {string} file @returns {import('esbuild').Plugin}
 */
const opened = (file) => ({
  name: 'opened',
  setup: (b) => {
    const name = path.basename(file);
    b.onResolve({ filter: /^opened-trace$/ }, () => ({ path: name, namespace: 'opened' }));
    b.onLoad({ filter: /./, namespace: 'opened' }, () => ({
      contents: `import url from 'bytes'; export { url }; export const name = ${JSON.stringify(name)};`,
    }));
    b.onResolve({ filter: /^bytes$/, namespace: 'opened' }, () => ({ path: file, namespace: 'bytes' }));
    b.onLoad({ filter: /./, namespace: 'bytes' }, () => ({
      contents: readFileSync(file),
      loader: 'file',
      watchFiles: [file],
    }));
    b.onResolve({ filter: /^index$/ }, () => ({ path: 'index.html', namespace: 'index' }));
    b.onLoad({ filter: /./, namespace: 'index' }, () => ({ contents: index, loader: 'copy' }));
  },
});

const index = html({
  // Inline, so that the page hears of the next build even if this build's scripts do not run.
  inline: `new EventSource('/esbuild').addEventListener('change', () => location.reload());`,
  scripts: ['replay.js', 'panel.js'],
  styles: ['panel.css'],
  connect: `'self'`,
});

await main(async () => {
  const [asked, ...more] = process.argv.slice(2);
  if (more.length) throw new Remedy('one trace at a time: npm run page -- FILE');
  // npm runs scripts in the root, whatever the current folder.
  const file = asked ? path.resolve(process.env['INIT_CWD'] ?? '', asked) : fixture;
  const port = await askedPort();
  await setup();
  await check(file);
  const { context } = await import('esbuild');
  const { pageBundle } = await import('./lib/bundles.mjs');
  const entries = { panel: 'webview/main.tsx', replay: 'test/webview/replay.ts', index: 'index' };
  const page = pageBundle(entries, 'dist/webview'); // nothing is written there; the paths in source maps are relative to it
  const built = await context({ ...page, write: false, plugins: [...(page.plugins ?? []), opened(file)] });
  atEnd(() => built.dispose());
  await built.watch();
  const server = await built.serve({ host: '127.0.0.1', ...(port !== undefined && { port }) });
  say(`${path.basename(file)}, reloaded when a source file or the trace changes; Ctrl-C stops it:\n`);
  console.log(`  http://127.0.0.1:${server.port}/\n`);
  return new Promise(() => {}); // until interrupted
});
