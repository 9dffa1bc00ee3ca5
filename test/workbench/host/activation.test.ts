import * as assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import Mocha from 'mocha';
import * as vscode from 'vscode';
import { activate, extension } from './helpers.js';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

/** In milliseconds of this process's processor time, so that other processes do not count. */
async function busy(body: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const say = (text: string) => (Mocha.reporters.Base as unknown as { consoleLog(text: string): void }).consoleLog(text);

describe('activation', () => {
  it('takes hardly any time', async () => {
    const found = extension();
    const load = await busy(() => createRequire(__filename)(path.join(found.extensionPath, 'dist/extension.cjs')));
    const start = await busy(activate);
    say(
      `    loads in ${load.toFixed(0)} ms, is started in ${start.toFixed(0)} ms; ${vscode.version}, ${process.version}`,
    );
    assert.ok(load + start < 250, `${load} + ${start} ms`);
    assert.ok(found.isActive);
  });

  it('starts no engine', async () => {
    const api = await activate();
    assert.equal(api.services.engines.state.name, 'stopped');
  });

  it('registers every command that the manifest declares', async () => {
    await activate();
    const all = new Set(await vscode.commands.getCommands(true));
    const { contributes } = extension().packageJSON as Manifest;
    for (const { command } of contributes.commands) assert.ok(all.has(command), command);
  });

  it('offers its API, version 1', async () => {
    const api = await activate();
    assert.equal(api.version, 1);
    assert.equal(typeof api.route, 'function');
    assert.equal(typeof api.onDidRoute, 'function');
  });
});
