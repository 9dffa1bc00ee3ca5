// The rooms of ARCHITECTURE.md and the arrows between them; arrows.mjs turns this table into rules.
import { existsSync, readdirSync } from 'node:fs';

/**
 * A room is a folder or a file. The longest match counts, so a room inside a folder's room is a separate one. `from`: rooms it
 * may import from; `types`: rooms it may import only types from; `packages`: those of the guarded packages (arrows.mjs) that
 * it may import.
 * @typedef {{ from?: string[], types?: string[], packages?: string[] }} Room
 */

const runtime = 'src/engine/runtime';
const families = 'src/engine/families';
/** Rooms that need nothing else of Gander. */
const ground = ['src/errors', 'src/checks', 'src/words', 'src/look', 'src/formats', 'src/product', 'src/statistics'];
/** All rooms of the trace; the arrows between them are below. */
const trace = [
  'src/trace/model',
  'src/trace/text',
  'src/trace/alignment',
  'src/trace/figures',
  'src/trace/exports',
  'src/trace/file',
];
/** Rooms that every room may use: pure, without processes, files or the editor. */
const pure = [
  ...ground,
  ...trace,
  'src/channel',
  'src/similarity',
  'src/strategies',
  'src/requests',
  'src/protocol',
  'src/transport',
];
const drawn = ['src/host', 'src/routing', 'src/source', ...pure];
const views = ['src/commands', 'src/editor', 'src/explorer', 'src/panel'];
const editor = ['vscode', 'node:'];
/** What every view of the page is made of, and what that stands on. */
const seen = ['webview/look', 'src/paper', ...pure];
const parts = ['webview/components', 'webview/store', ...seen];
const tabFolder = new URL('../../webview/tabs', import.meta.url);
// The tests of these commands run in checkouts without a page.
const tabs = (existsSync(tabFolder) ? readdirSync(tabFolder) : [])
  .filter((name) => name !== 'shared')
  .map((tab) => `webview/tabs/${tab}`);
/** @param {string[]} from @param {string[]} [types] */
const page = (from, types = []) => ({ from, types, packages: ['preact', '@preact', 'd3-array'] });

/** @type {Record<string, Room>} */
export const rooms = {
  'src/errors': {},
  'src/checks': {},
  'src/words': {},
  'src/look': {},
  'src/formats': { from: ['src/checks'] },
  'src/product': {},
  'src/statistics': {},
  'src/trace/model': { from: ground },
  'src/trace/text': { from: ['src/trace/model', ...ground] },
  'src/trace/alignment': { from: ['src/trace/model', 'src/trace/text', ...ground] },
  'src/trace/figures': { from: ['src/trace/model', 'src/trace/text', 'src/trace/alignment', ...ground] },
  'src/trace/exports': { from: ['src/trace/model', 'src/trace/text', 'src/trace/figures', ...ground] },
  'src/trace/file': { from: ['src/trace/model', ...ground] },
  'src/paper': { from: ['src/trace/exports', 'src/trace/text', 'src/trace/model', ...ground], packages: ['d3-array'] },
  'src/pdf': { from: ['src/paper'], packages: ['pdfkit', 'node:'] },
  'src/similarity': { from: [...trace, ...ground] },
  'src/files': { from: ground, packages: ['node:'] },
  'src/terminal': { from: ground },
  'src/strategies': { from: [...trace, ...ground] },
  'src/channel': { from: ground },
  'src/requests': { from: ['src/similarity', 'src/strategies', ...trace, ...ground], types: ['src/channel'] },
  'src/protocol': { types: ['src/paper', ...pure] },
  'src/transport': { from: ['src/channel', 'src/requests', 'src/protocol', ...trace, ...ground] },
  'src/source': { from: pure },
  'src/atlas': { from: pure },
  'src/atlas/main.ts': { from: ['src/atlas/serve.ts', 'src/engine/guard.ts'] },
  'src/atlas/serve.ts': { from: ['src/atlas/making.ts', 'src/atlas/files', ...pure], types: ['src/atlas'] },
  'src/atlas/making.ts': {
    from: ['src/atlas', 'src/atlas/files', 'src/files', 'src/engine/client.ts', 'src/engine/remote.ts', ...pure],
    packages: ['node:'],
  },
  'src/atlas/client.ts': { from: ['src/engine/child.ts', ...pure], types: ['src/atlas'] },
  'src/atlas/files': {
    from: ['src/atlas', 'src/files', ...pure],

    packages: ['node:fs', 'node:path', 'node:crypto', 'node:timers', 'node:zlib'],
  },
  'src/pool': {
    from: [...trace, ...ground],
    types: ['src/requests'],

    packages: ['node:fs', 'node:path', 'node:crypto'],
  },
  'src/travel': { from: ['src/travel/web/web.ts', 'src/files', 'src/pool', ...ground], packages: ['node:'] },
  'src/travel/web': {
    from: ['src/travel/address.ts', 'src/travel/download.ts', 'src/travel/files.ts', ...ground],
    packages: ['node:', '@huggingface', 'undici'],
  },
  'src/graph': {
    from: ['src/pool', ...trace, ...ground],
    types: ['src/requests'],

    packages: ['node:fs', 'node:path', 'node:crypto'],
  },
  'src/api.ts': { types: pure },
  'src/engine/child.ts': { from: pure, packages: ['node:'] },
  'src/engine/device.ts': { from: pure, packages: ['node:'] },
  'src/engine/client.ts': { from: ['src/engine/child.ts', 'src/engine/device.ts', ...pure], packages: ['node:'] },
  'src/engine/remote.ts': { from: ['src/engine/client.ts'], types: ['src/requests'] },
  [`${runtime}/session.ts`]: {
    from: [runtime, ...trace, ...ground],
    types: ['src/graph', 'src/requests'],
    packages: ['onnxruntime-node'],
  },
  [`${runtime}/tokenizer.ts`]: {
    from: [`${runtime}/tokenizerFile.ts`, ...ground],
    types: trace,
    packages: ['node:', 'tokenizers'],
  },
  [runtime]: { from: [`${runtime}/session.ts`, `${runtime}/tokenizer.ts`, 'src/graph', ...pure], packages: ['node:'] },
  [`${families}/lora-pool`]: {
    from: [runtime, 'src/graph', 'src/pool', ...pure],
    types: [`${families}/family.ts`],
    packages: ['node:'],
  },
  [`${families}/encoder-decoder`]: {
    from: [`${families}/lora-pool`, runtime, 'src/graph', 'src/pool', ...pure],
    types: [`${families}/family.ts`],
    packages: ['node:'],
  },
  [`${families}/moe`]: {
    from: [runtime, 'src/graph', 'src/pool', ...pure],
    types: [`${families}/family.ts`],
    packages: ['node:'],
  },
  [families]: {
    from: [`${families}/lora-pool/index.ts`, `${families}/encoder-decoder/index.ts`, `${families}/moe/index.ts`],
    types: [runtime, ...pure],
  },
  'src/engine': {
    from: [`${families}/index.ts`, runtime, 'src/engine/device.ts', ...pure],
    types: [families],
    packages: ['node:'],
  },
  // The table of models' configurations is where the Python package can ship it.
  'src/import': { from: [...pure, 'python/gander-trace/src/gander_trace/routers.json'] },
  'src/import/client.ts': { from: ['src/engine/child.ts', ...pure], types: ['src/import'], packages: ['node:'] },
  'src/import/main.ts': { from: ['src/import/serve.ts', 'src/engine/guard.ts'] },
  'src/import/serve.ts': { from: ['src/import', `${runtime}/tokenizer.ts`, ...pure] },
  'src/remote': { from: ['src/import', 'src/source', ...pure], packages: ['node:'] },
  'src/remote/main.ts': {
    from: ['src/remote', 'src/engine/serve.ts', 'src/engine/guard.ts'],

    packages: ['node:'],
  },
  'src/routing': { from: pure, types: ['src/source'], packages: ['node:'] },
  'src/host': {
    from: [
      'src/engine/client.ts',
      'src/engine/remote.ts',
      'src/atlas/client.ts',
      'src/atlas',
      'src/files',
      'src/routing',
      'src/source',
      ...pure,
    ],
    packages: editor,
  },
  'src/editor': { from: drawn, packages: editor },
  'src/explorer': { from: drawn, packages: editor },
  'src/panel': {
    from: [...drawn, 'src/atlas', 'src/files', 'src/import', 'src/pdf'],
    types: ['src/atlas/client.ts'],
    packages: editor,
  },
  'src/commands': { from: [...views, ...drawn, 'src/atlas', 'src/files', 'src/tools', 'src/travel'], packages: editor },
  'src/extension.ts': {
    from: [...views, ...drawn, 'src/engine/client.ts', 'src/source', 'src/api.ts'],

    packages: editor,
  },
  'src/lazy.ts': { from: ['src/commands', 'src/panel', 'src/import', 'src/atlas', 'src/source', ...pure] },
  'src/tools': { from: ['src/atlas', 'src/routing', ...pure] },
  'src/cli': {
    from: [
      'src/atlas',
      'src/engine',
      'src/files',
      'src/import',
      'src/graph',
      'src/pool',
      'src/source',
      'src/terminal',
      'src/tools',
      'src/travel',
      ...pure,
    ],
    packages: ['node:', '@modelcontextprotocol'],
  },
  evaluate: {
    from: ['src/engine', 'src/pool', 'src/terminal', ...pure],
    packages: ['node:', 'd3-'],
  },
  'webview/look': page(['src/paper', ...pure]),
  'webview/background': page(pure),
  'webview/store': page(['webview/background', ...seen]),
  'webview/lessons': page(seen),
  'webview/components': page(['webview/store', ...seen], ['webview/lessons']),
  'webview/scope': page(parts),
  'webview/map': page(['webview/scope', ...parts], ['webview/background']),
  'webview/saving': page(parts),
  'webview/figures': page(['webview/saving', 'webview/map', ...parts]),
  'webview/header': page(['webview/figures', 'webview/map', 'webview/scope', ...parts]),
  'webview/legend': page(['webview/map', ...parts]),
  'webview/text': page(['webview/map', ...parts]),
  'webview/tabs/shared': page(parts),
  ...Object.fromEntries(
    tabs.map((tab) => [tab, page(['webview/tabs/shared', 'webview/map', 'webview/scope', ...parts])]),
  ),
  'webview/tour': page(['webview/lessons', ...parts], ['webview/map']),
  'webview/app': page([
    'webview/figures',
    'webview/header',
    'webview/legend',
    'webview/map',
    'webview/text',
    ...tabs,
    'webview/lessons',
    'webview/tour',
    ...parts,
  ]),
  'webview/main.tsx': page([
    'webview/app',
    'webview/panel.css',
    'webview/background',
    'webview/header',
    'webview/map',
    'webview/scope',
    ...parts,
  ]),
  'webview/similarity': page(['webview/components', 'webview/saving', ...seen]),
  'webview/atlas': page(
    [
      'webview/components',
      'webview/lessons',
      'webview/saving',
      'webview/store/lazy.ts',
      'src/atlas/specialised.ts',
      'src/atlas/tables/cells.ts',
      ...seen,
    ],
    ['src/atlas'],
  ),
};
