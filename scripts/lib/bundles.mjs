// What each bundle is built from: the extension and what it loads late, the children, the command line, the pages.
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { root } from './main.mjs';
import { repository } from './published.mjs';

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
  define: { GANDER_REPOSITORY: JSON.stringify(repository() ?? null) },
};

/**
 * pdfkit asks where it is, which a file in this format has no `import.meta` for.
 * @type {esbuild.BuildOptions}
 */
const pdf = {
  loader: { '.woff': 'binary' },
  define: { ...node.define, 'import.meta.url': 'whereItIs' },
  banner: { js: "const whereItIs = require('node:url').pathToFileURL(__filename).href;" },
};

/**
 * Keeps what writes a PDF, and what fetches from the web, in files of their own: they are large, and few people ask for them.
 * @type {esbuild.Plugin}
 */
const apart = {
  name: 'apart',
  setup: (b) => {
    b.onResolve({ filter: /\/(pdf\/pdf|web\/web)\.js$/ }, ({ kind, path: name }) =>
      kind === 'dynamic-import' ? { path: `./${path.basename(name, '.js')}.cjs`, external: true } : undefined,
    );
  },
};

/**
 * Leaves out what the hub's library needs only to upload; its packages do not say that loading them changes nothing.
 * @type {esbuild.Plugin}
 */
export const downloads = {
  name: 'downloads',
  setup: (b) => {
    b.onResolve({ filter: /^@huggingface\/xetchunk-wasm$/ }, async ({ path: name, pluginData, ...from }) =>
      pluginData ? undefined : { ...(await b.resolve(name, { ...from, pluginData: true })), sideEffects: false },
    );
  },
};

/**
 * Puts what the extension imports dynamically into a separate file: VS Code reads all of extension.cjs to activate it.
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
 * Puts the worker's code into the page as text: a webview's policy lets a worker start only from a blob.
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
  // Views that few people open are separate files, named by a hash of their content and imported when opened.
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
 * A bundle for the pages of a folder.
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
    { ...node, entryPoints: ['src/extension.ts'], outfile: `${out}/extension.cjs`, plugins: [apart, lazily] },
    { ...node, entryPoints: ['src/lazy.ts'], outfile: `${out}/lazy.cjs`, plugins: [apart] },
    { ...node, ...pdf, entryPoints: ['src/pdf/pdf.ts'], outfile: `${out}/pdf.cjs` },
    { ...node, entryPoints: ['src/travel/web/web.ts'], outfile: `${out}/web.cjs`, plugins: [downloads] },
    { ...node, entryPoints: ['src/engine/main.ts'], outfile: `${out}/engine.cjs` },
    { ...node, entryPoints: ['src/import/main.ts'], outfile: `${out}/import.cjs` },
    { ...node, entryPoints: ['src/remote/main.ts'], outfile: `${out}/remote.cjs` },
    { ...node, entryPoints: ['src/atlas/main.ts'], outfile: `${out}/atlas.cjs` },
    {
      ...node,
      entryPoints: ['src/cli/main.ts'],
      outfile: `${out}/cli.cjs`,
      banner: { js: '#!/usr/bin/env node' },
      plugins: [apart],
    },
    pageBundle({ panel: 'webview/main.tsx' }, webview),
    // Separate, because code shared with the panel would otherwise go into more files that the panel has to load.
    pageBundle({ similarity: 'webview/similarity/main.tsx' }, webview),
    pageBundle({ atlas: 'webview/atlas/main.tsx' }, webview),
  ];
  const packaged = purpose === 'package' ? /** @type {const} */ ({ sourcemap: false, minify: true }) : {};
  // Entries that do not exist yet are left out.
  return all
    .filter((b) => Object.values(/** @type {string[]} */ (b.entryPoints)).every((e) => existsSync(path.join(root, e))))
    .map((b) => ({ ...b, ...packaged }));
}

/** Removes an earlier build's pages: files with other content have other names, and would stay. @param {string} [out] */
export function clean(out = 'dist') {
  rmSync(path.resolve(root, out, 'webview'), { recursive: true, force: true });
}
