// Builds what ships into dist/ or `--out=DIR`. `--watch` rebuilds on change, `--production` minifies and leaves source
// maps out.
import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';

const watch = process.argv.includes('--watch');
const production = process.argv.includes('--production');
const out = process.argv.find((a) => a.startsWith('--out='))?.slice(6) ?? 'dist';

const browser = 'chrome134'; // what VS Code 1.100 runs on

/** @type {esbuild.BuildOptions} */
const common = {
  bundle: true,
  sourcemap: production ? false : 'linked',
  minify: production,
  keepNames: true, // class names stay readable in logs
  legalComments: 'none', // the notices are in THIRD_PARTY_NOTICES.md
  logLevel: 'warning',
};

/** @type {esbuild.BuildOptions} */
const node = {
  ...common,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode', 'onnxruntime-node', 'tokenizers'],
};

/**
 * What the extension imports dynamically is in a file of its own: VS Code reads all of extension.cjs to activate it.
 * @type {esbuild.Plugin}
 */
const lazily = {
  name: 'lazily',
  setup: (b) => {
    b.onResolve({ filter: /^\./ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './lazy.cjs', external: true } : undefined,
    );
  },
};

/**
 * The page's worker comes in the page itself, as text: the policy of a webview lets it start from a blob, and from nothing else.
 * @type {esbuild.Plugin}
 */
const worker = {
  name: 'worker',
  setup: (b) => {
    b.onResolve({ filter: /\?worker$/ }, ({ path, resolveDir }) => ({
      path: fileURLToPath(new URL(path.replace(/\.js\?worker$/, '.ts'), pathToFileURL(`${resolveDir}/`))),
      namespace: 'worker',
    }));
    b.onLoad({ filter: /./, namespace: 'worker' }, async ({ path }) => {
      const built = await esbuild.build({
        ...common,
        entryPoints: [path],
        keepNames: false,
        sourcemap: false,
        minify: true,
        write: false,
        metafile: true,
        platform: 'browser',
        format: 'iife',
        target: browser,
      });
      return {
        contents: built.outputFiles[0]?.text ?? '',
        loader: 'text',
        watchFiles: Object.keys(built.metafile.inputs).map((file) => resolve(file)),
      };
    });
  },
};

/** @type {esbuild.BuildOptions} */
const page = {
  ...common,
  keepNames: false, // they were 6 % of the page
  outdir: `${out}/webview`,
  platform: 'browser',
  // What few people open in a session is imported when it is: a file of its own, named by its content.
  format: 'esm',
  splitting: true,
  chunkNames: '[name]-[hash]',
  target: browser,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  plugins: [worker],
  loader: { '.svg': 'dataurl', '.ttf': 'file', '.woff2': 'file' },
};

/** @type {esbuild.BuildOptions[]} */
const all = [
  { ...node, entryPoints: ['src/extension.ts'], outfile: `${out}/extension.cjs`, plugins: [lazily] },
  { ...node, entryPoints: ['src/lazy.ts'], outfile: `${out}/lazy.cjs` },
  { ...node, entryPoints: ['src/engine/main.ts'], outfile: `${out}/engine.cjs` },
  { ...node, entryPoints: ['src/import/main.ts'], outfile: `${out}/import.cjs` },
  { ...node, entryPoints: ['src/remote/main.ts'], outfile: `${out}/remote.cjs` },
  { ...node, entryPoints: ['src/cli/main.ts'], outfile: `${out}/cli.cjs`, banner: { js: '#!/usr/bin/env node' } },
  { ...page, entryPoints: { panel: 'webview/main.tsx' } },
  // By itself: what it shares with the panel would otherwise become files that the panel has to load, too.
  { ...page, entryPoints: { similarity: 'webview/similarity/main.tsx' } },
];

// A room that has no entry yet is left out.
const bundles = all.filter((b) => Object.values(/** @type {string[]} */ (b.entryPoints)).every((e) => existsSync(e)));

rmSync(`${out}/webview`, { recursive: true, force: true }); // files of another content have another name, and would stay

const contexts = await Promise.all(bundles.map((b) => esbuild.context(b)));
try {
  if (watch) {
    await Promise.all(contexts.map((c) => c.watch()));
    console.log('watching');
  } else {
    await Promise.all(contexts.map((c) => c.rebuild()));
    await Promise.all(contexts.map((c) => c.dispose()));
  }
} catch {
  process.exit(1); // esbuild has said why
}
