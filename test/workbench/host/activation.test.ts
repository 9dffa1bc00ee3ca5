import * as assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import Mocha from 'mocha';
import * as vscode from 'vscode';
import { activate, extension } from './helpers.js';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

const say = (text: string) => (Mocha.reporters.Base as unknown as { consoleLog(text: string): void }).consoleLog(text);

describe('activation', () => {
  it('takes no longer than a glance', async () => {
    const found = extension();
    const start = performance.now();
    createRequire(__filename)(path.join(found.extensionPath, 'dist/extension.cjs'));
    const load = performance.now() - start;
    const { activation } = await activate();
    say(
      `    loads in ${load.toFixed(0)} ms, activates in ${activation.toFixed(0)} ms; ${vscode.version}, ${process.version}`,
    );
    // 50 ms on a machine that has nothing else to do.
    assert.ok(load + activation < 250, `${load} + ${activation} ms`);
    assert.ok(found.isActive);
  });

  it('starts no engine', async () => {
    const api = await activate();
    assert.equal(api.parts.engines.state.name, 'stopped');
  });

  it('registers every command that the manifest declares', async () => {
    await activate();
    const all = new Set(await vscode.commands.getCommands(true));
    const { contributes } = extension().packageJSON as Manifest;
    for (const { command } of contributes.commands) assert.ok(all.has(command), command);
  });

  it('offers its interface, version 1', async () => {
    const api = await activate();
    assert.equal(api.version, 1);
    assert.equal(typeof api.route, 'function');
    assert.equal(typeof api.onDidRoute, 'function');
  });
});
