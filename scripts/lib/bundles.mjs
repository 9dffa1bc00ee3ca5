// What is bundled of what: the extension and what it loads late, the children, the command line, the pages.
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { root } from './main.mjs';

const browser = 'chrome134'; // what VS Code 1.100 runs on

/** @type {esbuild.BuildOptions} */
const common = {
  absWorkingDir: root,
  bundle: true,
  sourcemap: 'linked',
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
    b.onResolve({ filter: /\?worker$/ }, ({ path: name, resolveDir }) => ({
      path: fileURLToPath(new URL(name.replace(/\.js\?worker$/, '.ts'), pathToFileURL(`${resolveDir}/`))),
      namespace: 'worker',
    }));
    b.onLoad({ filter: /./, namespace: 'worker' }, ({ path: file }) => workerText(file));
  },
};

/** @param {string} file @returns {Promise<esbuild.OnLoadResult>} */
async function workerText(file) {
  const from = (/** @type {string[]} */ files) => files.map((name) => path.resolve(root, name));
  try {
    const { outputFiles, metafile, warnings } = await esbuild.build({
      ...common,
      entryPoints: [file],
      keepNames: false,
      sourcemap: false,
      minify: true,
      write: false,
      metafile: true,
      platform: 'browser',
      format: 'iife',
      target: browser,
      logLevel: 'silent',
    });
    const contents = outputFiles[0]?.text ?? '';
    return { contents, loader: 'text', warnings, watchFiles: from(Object.keys(metafile.inputs)) };
  } catch (failure) {
    const { errors } = /** @type {esbuild.BuildFailure} */ (failure);
    return { errors, watchFiles: [file, ...from(errors.flatMap(({ location }) => location?.file ?? []))] };
  }
}

/** @type {esbuild.BuildOptions} */
const page = {
  ...common,
  keepNames: false, // they were 6 % of the page
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

/**
 * One page in a folder of its own, or beside others.
 * @param {Record<string, string>} entryPoints @param {string} outdir
 */
export const pageBundle = (entryPoints, outdir) => ({ ...page, entryPoints, outdir });

/**
 * All bundles.
 * @param {'work' | 'package'} purpose a package's are minified and without source maps
 * @param {string} [out]
 */
export function bundlesFor(purpose, out = 'dist') {
  const webview = `${out}/webview`;
  /** @type {esbuild.BuildOptions[]} */
  const all = [
    { ...node, entryPoints: ['src/extension.ts'], outfile: `${out}/extension.cjs`, plugins: [lazily] },
    { ...node, entryPoints: ['src/lazy.ts'], outfile: `${out}/lazy.cjs` },
    { ...node, entryPoints: ['src/engine/main.ts'], outfile: `${out}/engine.cjs` },
    { ...node, entryPoints: ['src/import/main.ts'], outfile: `${out}/import.cjs` },
    { ...node, entryPoints: ['src/remote/main.ts'], outfile: `${out}/remote.cjs` },
    { ...node, entryPoints: ['src/cli/main.ts'], outfile: `${out}/cli.cjs`, banner: { js: '#!/usr/bin/env node' } },
    pageBundle({ panel: 'webview/main.tsx' }, webview),
    // By itself: what it shares with the panel would otherwise become files that the panel has to load, too.
    pageBundle({ similarity: 'webview/similarity/main.tsx' }, webview),
  ];
  const packaged = purpose === 'package' ? /** @type {const} */ ({ sourcemap: false, minify: true }) : {};
  // A room that has no entry yet is left out.
  return all
    .filter((b) => Object.values(/** @type {string[]} */ (b.entryPoints)).every((e) => existsSync(path.join(root, e))))
    .map((b) => ({ ...b, ...packaged }));
}

/** Removes an earlier build's pages: files of another content have another name, and would stay. @param {string} [out] */
export function clean(out = 'dist') {
  rmSync(path.resolve(root, out, 'webview'), { recursive: true, force: true });
}
