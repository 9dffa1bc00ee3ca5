// The arrows of ARCHITECTURE.md as a lint rule: which room may import from which, and who may import which package.
import path from 'node:path';

/**
 * A room is a folder or a file; the longest match holds, so a folder may have rooms inside it, which are others. `from`: rooms it may import from; `types`: rooms of which it may
 * import types only; `packages`: what it may import of the packages that reach out of a room.
 * @typedef {{ from?: string[], types?: string[], packages?: string[] }} Room
 */

const contract = 'src/engine/api.ts';
const runtime = 'src/engine/runtime';
const families = 'src/engine/families';
/** What every room may use: pure, with no process, file or editor. */
const pure = ['src/strategies', 'src/transport', 'src/similarity', 'src/trace', 'src/statistics', 'src/shared'];
const drawn = ['src/host', 'src/routing', 'src/source', ...pure];
const views = ['src/commands', 'src/editor', 'src/explorer', 'src/panel'];
const editor = ['vscode', 'node:'];

/** @type {Record<string, Room>} */
export const rooms = {
  'src/shared': { types: [contract, 'src/trace', 'src/transport'] },
  'src/statistics': {},
  'src/trace': { from: ['src/statistics', 'src/shared'] },
  'src/similarity': { from: ['src/trace', 'src/shared'] },
  'src/files': { packages: ['node:'] },
  'src/terminal': { from: ['src/shared'] },
  'src/transport': { from: ['src/trace', 'src/shared'], types: [contract] },
  'src/strategies': { from: ['src/trace', 'src/shared'] },
  'src/source': { from: pure, types: [contract] },
  'src/atlas': { from: pure },
  'src/atlas/files': {
    from: ['src/atlas', ...pure],
    types: [contract],
    packages: ['node:fs', 'node:path', 'node:crypto', 'node:readline'],
  },
  'src/pool': {
    from: ['src/trace', 'src/shared'],
    types: [contract],
    packages: ['node:fs', 'node:path', 'node:crypto'],
  },
  'src/graph': {
    from: ['src/pool', 'src/trace', 'src/shared'],
    types: [contract],
    packages: ['node:fs', 'node:path', 'node:crypto'],
  },
  'src/api.ts': { types: [contract, 'src/apiVersion1.ts', ...pure] },
  'src/apiVersion1.ts': { from: pure },
  [contract]: { types: pure },
  'src/engine/client.ts': {
    from: ['src/trace', 'src/transport', 'src/shared'],
    types: [contract],
    packages: ['node:'],
  },
  'src/engine/remote.ts': { from: ['src/engine/client.ts'], types: [contract] },
  [`${runtime}/session.ts`]: { from: [runtime, 'src/trace', 'src/shared'], packages: ['onnxruntime-node'] },
  [`${runtime}/tokenizer.ts`]: { from: ['src/shared'], types: ['src/trace'], packages: ['node:', 'tokenizers'] },
  [runtime]: { from: [`${runtime}/session.ts`, `${runtime}/tokenizer.ts`, 'src/graph', ...pure], packages: ['node:'] },
  [`${families}/lora-pool`]: {
    from: [runtime, 'src/graph', 'src/pool', ...pure],
    types: [contract, `${families}/family.ts`],
    packages: ['node:'],
  },
  [`${families}/encoder-decoder`]: {
    from: [`${families}/lora-pool`, runtime, 'src/graph', 'src/pool', ...pure],
    types: [contract, `${families}/family.ts`],
    packages: ['node:'],
  },
  [`${families}/moe`]: {
    from: [runtime, 'src/graph', 'src/pool', ...pure],
    types: [contract, `${families}/family.ts`],
    packages: ['node:'],
  },
  [families]: {
    from: [`${families}/lora-pool/index.ts`, `${families}/encoder-decoder/index.ts`, `${families}/moe/index.ts`],
    types: [runtime, contract, ...pure],
  },
  'src/engine': {
    from: [`${families}/index.ts`, runtime, 'src/source', ...pure],
    types: [contract, families],
    packages: ['node:'],
  },
  // What is known of models' configurations stands once, where the Python package can ship it.
  'src/import': { from: [...pure, 'python/gander-trace/src/gander_trace/routers.json'] },
  'src/import/client.ts': { from: pure, types: ['src/import'], packages: ['node:'] },
  'src/import/main.ts': {
    from: ['src/import/serve.ts', 'src/engine/guard.ts'],
    types: ['src/import'],
    packages: ['node:'],
  },
  'src/import/serve.ts': { from: ['src/import', `${runtime}/tokenizer.ts`, ...pure] },
  'src/remote': { from: ['src/import', 'src/source', ...pure], types: [contract], packages: ['node:'] },
  'src/remote/main.ts': {
    from: ['src/remote', 'src/engine/serve.ts', 'src/engine/guard.ts'],
    types: [contract],
    packages: ['node:'],
  },
  'src/routing': { from: pure, types: [contract, 'src/source'], packages: ['node:'] },
  'src/host': {
    from: ['src/engine/client.ts', 'src/engine/remote.ts', 'src/routing', 'src/source', ...pure],
    types: [contract],
    packages: editor,
  },
  'src/editor': { from: drawn, types: [contract], packages: editor },
  'src/explorer': { from: drawn, types: [contract], packages: editor },
  'src/panel': { from: [...drawn, 'src/files', 'src/import'], types: [contract], packages: editor },
  'src/commands': { from: [...views, ...drawn], types: [contract], packages: editor },
  'src/extension.ts': {
    from: [...views, ...drawn, 'src/engine/client.ts', 'src/source', 'src/api.ts', 'src/apiVersion1.ts'],
    types: [contract],
    packages: editor,
  },
  'src/lazy.ts': { from: ['src/commands', 'src/panel', 'src/import', 'src/source', 'src/trace'] },
  'src/cli': {
    from: ['src/atlas', 'src/engine', 'src/files', 'src/import', 'src/graph', 'src/pool', 'src/terminal', ...pure],
    packages: ['node:'],
  },
  evaluate: {
    from: ['src/engine', 'src/pool', 'src/terminal', ...pure],
    packages: ['node:', 'd3-'],
  },
  webview: { from: pure, types: [contract], packages: ['preact', '@preact'] },
};

/** Packages that reach out of the room: a native addon, the editor, the system, the page. Others are free. */
const guarded = ['vscode', 'onnxruntime-node', 'tokenizers', 'node:', 'd3-', 'preact', '@preact'];

const within = (/** @type {string} */ file, /** @type {string} */ room) => file === room || file.startsWith(`${room}/`);

const startsLike = (/** @type {string} */ name, /** @type {string[]} */ list) =>
  list.some((p) => name === p || name.startsWith(/[-:]$/.test(p) ? p : `${p}/`));

/** @param {string} file */
const roomOf = (file) =>
  Object.keys(rooms)
    .filter((room) => within(file, room))
    .sort((a, b) => b.length - a.length)[0];

/**
 * What is wrong with one import, or undefined. `file` is relative to the repository, with forward slashes.
 * @param {string} file @param {string} specifier @param {boolean} typeOnly
 */
export function violation(file, specifier, typeOnly) {
  const name = roomOf(file);
  if (name === undefined) return file.startsWith('src/') ? `${file} is in no room` : undefined;
  const room = rooms[name] ?? {};
  if (!specifier.startsWith('.')) {
    if (typeOnly || !startsLike(specifier, guarded) || startsLike(specifier, room.packages ?? [])) return undefined;
    return `${name} may not import ${specifier}`;
  }
  const target = path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts');
  if (roomOf(target) === name) return undefined;
  const allowed = [...(room.from ?? []), ...(typeOnly ? (room.types ?? []) : [])];
  return allowed.some((a) => within(target, a)) ? undefined : `${name} may not import ${target}`;
}

/** @type {import('eslint').Rule.RuleModule} */
export const arrows = {
  meta: { type: 'problem', docs: { description: 'imports follow the arrows of ARCHITECTURE.md' }, schema: [] },
  create(context) {
    const file = path.relative(context.cwd, context.filename).split(path.sep).join('/');
    /** @param {any} node */
    const check = (node) => {
      if (typeof node.source?.value !== 'string') return;
      const all = node.specifiers ?? [];
      const typeOnly =
        node.importKind === 'type' ||
        node.exportKind === 'type' ||
        (all.length > 0 && all.every((/** @type {any} */ s) => s.importKind === 'type'));
      const message = violation(file, node.source.value, typeOnly);
      if (message) context.report({ node, message: `${message} (see ARCHITECTURE.md, "Arrows")` });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};
