// Tests the rules of scripts/lint/arrows.mjs with planted files that import one thing each.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import config from '../../../scripts/lint/arrows.mjs';

const refused = [
  ['src/trace/figures/usage.ts', '../../pool/pool.js'],
  ['src/trace/model/access.ts', '../figures/usage.js'],
  ['src/errors/errors.ts', '../trace/model/trace.js'],
  ['src/graph/find.ts', 'onnxruntime-node'],
  ['src/graph/find.ts', '../engine/runtime/session.js'],
  ['src/pool/pool.ts', 'node:child_process'],
  ['src/trace/file/file.ts', 'node:fs'],
  ['src/trace/file/file.ts', 'vscode'],
  ['src/engine/local.ts', 'onnxruntime-node'],
  ['src/engine/local.ts', './families/lora-pool/model.js'],
  ['src/engine/runtime/cache.ts', '../families/index.js'],
  ['src/engine/runtime/cache.ts', 'onnxruntime-node'],
  ['src/engine/families/lora-pool/session.ts', 'onnxruntime-node'],
  ['src/engine/main.ts', 'tokenizers'],
  ['src/engine/client.ts', './runtime/session.js'],
  ['src/routing/service.ts', '../panel/panels.js'],
  ['src/routing/service.ts', 'vscode'],
  ['src/panel/panels.ts', '../commands/route.js'],
  ['src/cli/main.ts', 'vscode'],
  ['src/import/readers/moeTopk.ts', 'node:fs'],
  ['src/cli/main.ts', '../../python/gander-trace/src/gander_trace/routers.json'],
  ['src/import/index.ts', '../engine/runtime/tokenizer.js'],
  ['src/extension.ts', './engine/runtime/session.js'],
  ['webview/app/app.ts', '../../src/panel/html.js'],
  ['webview/app/app.ts', 'node:fs'],
  ['webview/look/theme.ts', '../store/store.js'],
  ['webview/store/store.ts', '../scope/load.js'],
  ['webview/store/store.ts', '../map/change.js'],
  ['webview/lessons/explanation.ts', '../components/controls.js'],
  ['webview/components/controls.ts', '../lessons/explanation.js'],
  ['webview/components/controls.ts', '../tabs/summary/summary.js'],
  ['webview/map/scene.ts', '../header/header.js'],
  ['webview/tabs/detail/detail.ts', '../summary/summary.js'],
  ['webview/tabs/shared/usage.ts', '../summary/summary.js'],
  ['webview/similarity/view.ts', '../store/store.js'],
  ['webview/components/lines.ts', 'd3-scale'],
  ['src/pool/card.ts', '../requests/schemas.js'],
] as const;

const allowed = [
  ['src/trace/figures/load.ts', '../model/trace.js'],
  ['src/trace/file/version1.ts', 'zod'],
  ['src/engine/runtime/session.ts', 'onnxruntime-node'],
  ['src/engine/runtime/tokenizer.ts', 'tokenizers'],
  ['src/engine/serve.ts', './families/index.js'],
  ['src/engine/families/index.ts', './lora-pool/index.js'],
  ['src/engine/families/lora-pool/session.ts', '../../runtime/session.js'],
  ['src/engine/families/lora-pool/placing.ts', '../../../graph/model.js'],
  ['src/panel/panels.ts', 'vscode'],
  ['src/extension.ts', './engine/client.js'],
  ['src/cli/main.ts', '../engine/serve.js'],
  ['src/import/serve.ts', '../engine/runtime/tokenizer.js'],
  ['src/import/model.ts', '../../python/gander-trace/src/gander_trace/routers.json'],
  ['src/panel/traceFile.ts', '../import/client.js'],
  ['webview/map/model.ts', '../../src/trace/figures/load.js'],
  ['webview/components/figure.ts', 'preact'],
  ['webview/components/lines.ts', 'd3-array'],
  ['webview/tabs/detail/detail.ts', '../shared/usage.js'],
  ['webview/app/app.ts', '../tabs/detail/detail.js'],
] as const;

const folder = mkdtempSync(path.join(tmpdir(), 'rooms-'));
afterAll(() => rmSync(folder, { recursive: true }));

let found: ICruiseResult['summary']['violations'];

beforeAll(async () => {
  const texts = new Map<string, string>();
  const add = (file: string, line: string) => texts.set(file, `${texts.get(file) ?? ''}${line}\n`);
  for (const [file, specifier] of [...refused, ...allowed]) {
    add(file, `import '${specifier}';`);
    if (specifier.startsWith('.'))
      add(path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts'), '');
  }
  add('src/graph/typed.ts', "import type {} from '../requests/schemas.js';");
  add('src/new/file.ts', "import '../errors/errors.js';");
  add('webview/new/file.ts', "import '../look/theme.js';");
  for (const room of ['src/editor', 'webview/map']) {
    add(`${room}/one.ts`, "import type { B } from './other.js';\nexport type A = B;");
    add(`${room}/other.ts`, "import type { A } from './one.js';\nexport type B = A[];");
  }
  for (const [file, text] of texts) {
    mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }
  const { forbidden = [], options } = config;
  const { output } = await cruise(['src', 'webview'], {
    ...options,
    ruleSet: { forbidden },
    validate: true,
    baseDir: folder,
  });
  if (typeof output === 'string') throw new Error(output);
  found = output.summary.violations;
});

/** The rules that an import breaks. */
const broken = (file: string, specifier: string): string[] => {
  const to = specifier.startsWith('.')
    ? path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts')
    : specifier.replace(/^node:/, '');
  return found
    .filter(({ from, to: reached, rule }) => from === file && reached.endsWith(to) && rule.name !== 'no circles')
    .map(({ rule }) => rule.name);
};

test.each(refused)('%s may not import %s', (file, specifier) => {
  expect(broken(file, specifier)).toHaveLength(1);
});

test.each(allowed)('%s may import %s', (file, specifier) => {
  expect(broken(file, specifier)).toEqual([]);
});

test('types may be imported where code may not', () => {
  expect(broken('src/graph/typed.ts', '../requests/schemas.js')).toEqual([]);
});

test('a file in no room is refused', () => {
  expect(broken('src/new/file.ts', '../errors/errors.js')).toEqual(['in no room']);
  expect(broken('webview/new/file.ts', '../look/theme.js')).toEqual(['in no room']);
});

test('a cycle of types counts as a cycle', () => {
  const circles = found.filter(({ rule }) => rule.name === 'no circles').map(({ from }) => from);
  expect(circles).toEqual(expect.arrayContaining(['src/editor/one.ts', 'webview/map/one.ts']));
});
