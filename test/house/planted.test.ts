// Each kind of fault makes `npm test` fail.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Checkout } from './checkout.js';

let checkout: Checkout;
beforeAll(() => {
  checkout = new Checkout();
});
afterAll(() => checkout.remove());

const planted = async (file: string, text: string, part: string) => {
  checkout.write(file, text);
  try {
    return await checkout.run('test.mjs', [part]);
  } finally {
    checkout.write(file, 'export {};\n');
  }
};

test('a sound checkout passes', async () => {
  checkout.write('src/trace/planted.ts', "export { GanderError } from '../shared/errors.js';\n");
  checkout.write('test/unit/planted.test.ts', 'export {};\n');
  const { code, text } = await checkout.run('test.mjs', ['lint', 'types']);
  expect(text).toMatch(/^\d+ passed, 0 failed\n$/m);
  expect(code).toBe(0);
});

test('an import against the arrows fails it', async () => {
  const { code, text } = await planted('src/trace/planted.ts', "import '../extension.js';\n", 'lint');
  expect(text).toContain('src/trace may not import src/extension.ts');
  expect(text).toMatch(/1 passed, 1 failed\n$/);
  expect(code).toBe(1);
});

test('a type error fails it', async () => {
  const { code, text } = await planted('src/trace/planted.ts', "export const n: number = 'one';\n", 'types');
  expect(text).toContain("Type 'string' is not assignable to type 'number'");
  expect(text).toMatch(/^\d+ passed, 1 failed\n$/m);
  expect(code).toBe(1);
});

const failing = (from: string) =>
  `import assert from 'node:assert/strict';\nimport { it } from '${from}';\nit('is planted', () => assert.equal(6 * 9, 42));\n`;

test('a failing test fails it', async () => {
  const { code, text } = await planted('test/unit/planted.test.ts', failing('vitest'), 'unit');
  expect(text).toMatch(/0 passed, 1 failed\n$/);
  expect(code).toBe(1);
});

test('shares of a run add up to all of it', async () => {
  const passing = `import { expect, it } from 'vitest';\nit.each([1, 2, 3])('is %i', (n) => expect(n).toBe(n));\n`;
  for (const name of ['one', 'two', 'three']) checkout.write(`test/unit/${name}.test.ts`, passing);
  const passed = async (...args: string[]) => {
    const { code, text } = await checkout.run('test.mjs', ['lint', 'types', 'unit', ...args]);
    expect(code, text).toBe(0);
    return Number(/^(\d+) passed, 0 failed\n$/m.exec(text)![1]);
  };
  const shares = [await passed('--shard', '1/2'), await passed('--shard', '2/2')];
  expect(Math.min(...shares)).toBeGreaterThan(0);
  expect(shares[0]! + shares[1]!).toBe(await passed());
  for (const name of ['one', 'two', 'three']) checkout.write(`test/unit/${name}.test.ts`, 'export {};\n');
});

test('a part without a test fails it', async () => {
  const { code, text } = await checkout.run('test.mjs', ['engine']);
  expect(text).toMatch(/0 passed, 1 failed\n$/);
  expect(code).toBe(1);
});

test('a failing test in the extension host fails it, on either VS Code', async () => {
  const sound = `import assert from 'node:assert/strict';
import { it } from 'mocha';
import * as vscode from 'vscode';
it('answers', async () => assert.equal(await vscode.commands.executeCommand('gander.answer'), 42));
`;
  checkout.write('test/workbench/host/sound.test.ts', sound);
  const { code, text } = await planted('test/workbench/host/planted.test.ts', failing('mocha'), 'host');
  expect(text).toMatch(/2 passed, 2 failed\n$/);
  expect(code).toBe(1);
});
