import * as assert from 'node:assert/strict';
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
    await activate();
    const ms = performance.now() - start;
    say(`    activated in ${ms.toFixed(0)} ms, VS Code ${vscode.version}, Node ${process.version}`);
    // Reading the file included, on a machine that does other things besides.
    assert.ok(ms < 500, `${ms} ms`);
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
