// The rooms of ARCHITECTURE.md and the arrows between them: arrows.mjs makes rules of this table.

/**
 * A room is a folder or a file; the longest match holds, so a folder may have rooms inside it, which are others. `from`: rooms it
 * may import from; `types`: rooms of which it may import types only; `packages`: what it may import of the packages that reach
 * out of a room.
 * @typedef {{ from?: string[], types?: string[], packages?: string[] }} Room
 */

const runtime = 'src/engine/runtime';
const families = 'src/engine/families';
/** What needs nothing of Gander. */
const ground = ['src/errors', 'src/checks', 'src/words', 'src/look', 'src/formats', 'src/product', 'src/statistics'];
/** Any part of a trace: their order is told where these rooms are. */
const trace = [
  'src/trace/model',
  'src/trace/text',
  'src/trace/alignment',
  'src/trace/figures',
  'src/trace/exports',
  'src/trace/file',
];
/** What every room may use: pure, with no process, file or editor. */
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
  'src/similarity': { from: [...trace, ...ground] },
  'src/files': { packages: ['node:'] },
  'src/terminal': { from: ground },
  'src/strategies': { from: [...trace, ...ground] },
  'src/channel': { from: ground },
  'src/requests': { from: ['src/similarity', 'src/strategies', ...trace, ...ground], types: ['src/channel'] },
  'src/protocol': { types: pure },
  'src/transport': { from: ['src/requests', 'src/protocol', ...trace, ...ground], types: ['src/channel'] },
  'src/source': { from: pure },
  'src/atlas': { from: pure },
  'src/atlas/files': {
    from: ['src/atlas', ...pure],

    packages: ['node:fs', 'node:path', 'node:crypto', 'node:readline'],
  },
  'src/pool': {
    from: [...trace, ...ground],
    types: ['src/requests'],

    packages: ['node:fs', 'node:path', 'node:crypto'],
  },
  'src/graph': {
    from: ['src/pool', ...trace, ...ground],
    types: ['src/requests'],

    packages: ['node:fs', 'node:path', 'node:crypto'],
  },
  'src/api.ts': { types: pure },
  'src/engine/child.ts': { from: pure, packages: ['node:'] },
  'src/engine/client.ts': { from: ['src/engine/child.ts', ...pure], packages: ['node:'] },
  'src/engine/remote.ts': { from: ['src/engine/client.ts'], types: ['src/requests'] },
  [`${runtime}/session.ts`]: {
    from: [runtime, ...trace, ...ground],
    types: ['src/graph'],
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
    from: [`${families}/index.ts`, runtime, ...pure],
    types: [families],
    packages: ['node:'],
  },
  // What is known of models' configurations stands once, where the Python package can ship it.
  'src/import': { from: [...pure, 'python/gander-trace/src/gander_trace/routers.json'] },
  'src/import/client.ts': { from: ['src/engine/child.ts', ...pure], types: ['src/import'], packages: ['node:'] },
  'src/import/main.ts': {
    from: ['src/import/serve.ts', 'src/engine/guard.ts'],
    types: ['src/import', 'src/channel'],
    packages: ['node:'],
  },
  'src/import/serve.ts': { from: ['src/import', `${runtime}/tokenizer.ts`, ...pure] },
  'src/remote': { from: ['src/import', 'src/source', ...pure], packages: ['node:'] },
  'src/remote/main.ts': {
    from: ['src/remote', 'src/engine/serve.ts', 'src/engine/guard.ts'],

    packages: ['node:'],
  },
  'src/routing': { from: pure, types: ['src/source'], packages: ['node:'] },
  'src/host': {
    from: ['src/engine/client.ts', 'src/engine/remote.ts', 'src/routing', 'src/source', ...pure],

    packages: editor,
  },
  'src/editor': { from: drawn, packages: editor },
  'src/explorer': { from: drawn, packages: editor },
  'src/panel': { from: [...drawn, 'src/files', 'src/import'], packages: editor },
  'src/commands': { from: [...views, ...drawn], packages: editor },
  'src/extension.ts': {
    from: [...views, ...drawn, 'src/engine/client.ts', 'src/source', 'src/api.ts'],

    packages: editor,
  },
  'src/lazy.ts': { from: ['src/commands', 'src/panel', 'src/import', 'src/source', ...pure] },
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
      ...pure,
    ],
    packages: ['node:'],
  },
  evaluate: {
    from: ['src/engine', 'src/pool', 'src/terminal', ...pure],
    packages: ['node:', 'd3-'],
  },
  webview: { from: pure, packages: ['preact', '@preact'] },
};
