import { expect, test } from 'vitest';
import { violation } from '../../../scripts/lint/arrows.mjs';

test.each([
  ['src/trace/usage.ts', '../pool/pool.js'],
  ['src/shared/errors.ts', '../trace/trace.js'],
  ['src/graph/find.ts', 'onnxruntime-node'],
  ['src/graph/find.ts', '../engine/runtime/session.js'],
  ['src/pool/pool.ts', 'node:child_process'],
  ['src/trace/file.ts', 'node:fs'],
  ['src/trace/file.ts', 'vscode'],
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
  ['webview/main.ts', '../src/panel/html.js'],
  ['webview/main.ts', 'node:fs'],
])('%s may not import %s', (file, specifier) => {
  expect(violation(file, specifier, false)).toContain('may not import');
});

test.each([
  ['src/trace/usage.ts', './trace.js'],
  ['src/trace/file.ts', 'zod'],
  ['src/engine/runtime/session.ts', 'onnxruntime-node'],
  ['src/engine/runtime/tokenizer.ts', 'tokenizers'],
  ['src/engine/local.ts', './families/index.js'],
  ['src/engine/families/index.ts', './lora-pool/index.js'],
  ['src/engine/families/lora-pool/session.ts', '../../runtime/session.js'],
  ['src/engine/families/lora-pool/placing.ts', '../../../graph/find.js'],
  ['src/panel/panels.ts', 'vscode'],
  ['src/extension.ts', './engine/client.js'],
  ['src/cli/main.ts', '../engine/local.js'],
  ['src/import/serve.ts', '../engine/runtime/tokenizer.js'],
  ['src/import/model.ts', '../../python/gander-trace/src/gander_trace/routers.json'],
  ['src/panel/traceFile.ts', '../import/client.js'],
  ['webview/main.ts', '../src/trace/usage.js'],
  ['test/unit/any.test.ts', '../../src/engine/runtime/session.js'],
])('%s may import %s', (file, specifier) => {
  expect(violation(file, specifier, false)).toBeUndefined();
});

test('types may cross where code may not', () => {
  expect(violation('src/shared/panelProtocol.ts', '../engine/api.js', true)).toBeUndefined();
  expect(violation('src/shared/panelProtocol.ts', '../engine/api.js', false)).toBeDefined();
});

test('a file in no room is not free of the arrows', () => {
  expect(violation('src/new/file.ts', '../trace/trace.js', false)).toBe('src/new/file.ts is in no room');
});
