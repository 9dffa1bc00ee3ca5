// Every kind of fault makes `npm test` fail.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Checkout } from './checkout.js';

let checkout: Checkout;
beforeAll(() => {
  checkout = new Checkout();
});
afterAll(() => checkout.remove());

const test54 = (from: string, title: string, expected: number) =>
  `import assert from 'node:assert/strict';\nimport { it } from '${from}';\nit('${title}', () => assert.equal(6 * 9, ${expected}));\n`;

test('a checkout with no fault passes', async () => {
  checkout.write('test/unit/planted.test.ts', test54('vitest', 'is sound', 54));
  const { code, text } = await checkout.run('test.mjs', ['unit']);
  expect(text).toMatch(/^1 passed, 0 failed$/m);
  expect(code).toBe(0);
});

test('the shares of a run add up to the whole run', async () => {
  const passing = `import { expect, it } from 'vitest';\nit.each([1, 2, 3])('is %i', (n) => expect(n).toBe(n));\n`;
  for (const name of ['one', 'two', 'three']) checkout.write(`test/unit/${name}.test.ts`, passing);
  const passed = async (...args: string[]) => {
    const { code, text } = await checkout.run('test.mjs', ['lint', 'unit', ...args]);
    expect(code, text).toBe(0);
    return Number(/^(\d+) passed, 0 failed$/m.exec(text)![1]);
  };
  const shares = [await passed('--shard', '1/2'), await passed('--shard', '2/2')];
  expect(Math.min(...shares)).toBeGreaterThan(0);
  expect(shares[0]! + shares[1]!).toBe(4 + 1 + 9);
  for (const name of ['one', 'two', 'three']) rmSync(path.join(checkout.dir, `test/unit/${name}.test.ts`));
});

describe('with a fault in each part', () => {
  const answers = `import assert from 'node:assert/strict';
import { it } from 'mocha';
import * as vscode from 'vscode';
it('answers', async () => assert.equal(await vscode.commands.executeCommand('gander.answer'), 42));
`;
  let code: number;
  let text: string;
  /** A part's row in the table at the end: passed, failed. */
  const told = (part: string) =>
    new RegExp(`^${part} +(\\d+) passed +(\\d+) failed`, 'm').exec(text)?.slice(1).map(Number);

  beforeAll(async () => {
    checkout.write('src/trace/model/arrow.ts', "import '../../extension.js';\n");
    checkout.write('src/trace/model/wrong.ts', "export const n: number = 'one';\n");
    checkout.write('src/trace/model/right.ts', "export { GanderError } from '../../errors/errors.js';\n");
    checkout.write('test/unit/planted.test.ts', test54('vitest', 'is planted', 42));
    checkout.write('test/workbench/host/sound.test.ts', answers);
    checkout.write('test/workbench/host/planted.test.ts', test54('mocha', 'is planted', 42));
    ({ code, text } = await checkout.run('test.mjs', ['lint', 'types', 'unit', 'engine', 'host']));
  });

  test('it fails', () => {
    expect(code).toBe(1);
    const failed = ['lint', 'types', 'unit', 'engine', 'host'].reduce((sum, part) => sum + told(part)![1]!, 0);
    expect(text).toMatch(new RegExp(`^\\d+ passed, ${failed} failed$`, 'm'));
  });

  test('its last lines name what failed', () => {
    const named = text.split('\n').filter((line) => line.startsWith('Failed: '));
    expect(named.map((line) => line.split(': ').slice(1, 4).join(': '))).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^lint: node_modules.dependency-cruiser/),
        expect.stringMatching(/^types: node_modules.typescript/),
        'unit: test/unit/planted.test.ts: is planted',
        'engine: no test ran',
        expect.stringMatching(/^host: VS Code [\d.]+: is planted$/),
      ]),
    );
  });

  test('an import against the arrows counts, and lint finds nothing else', () => {
    expect(text).toContain('src/trace/model: arrows: src/trace/model/arrow.ts → src/extension.ts');
    expect(text).toContain('1 dependency violations');
    expect(told('lint')).toEqual([3, 1]);
  });

  test('a type error counts, with its place', () => {
    expect(text).toContain("Type 'string' is not assignable to type 'number'");
    expect(text.match(/error TS/g)).toHaveLength(1);
    expect(told('types')![0]).toBeGreaterThan(0);
    expect(told('types')![1]).toBe(1);
  });

  test('a failing test counts', () => {
    expect(told('unit')).toEqual([0, 1]);
  });

  test('a part without a test counts', () => {
    expect(told('engine')).toEqual([0, 1]);
  });

  test('a failing test in the extension host counts, on each VS Code', () => {
    expect(told('host')).toEqual([2, 2]);
  });
});
