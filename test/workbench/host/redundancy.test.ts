import * as assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import { answering, closeAll, hearing, set, show, tinyPool, until, useTinyPool } from './helpers.js';

describe('similar experts, and experts on trial', () => {
  let api: TestApi;
  let folder: string;
  let alpha: string;
  before(async () => {
    api = await useTinyPool();
    folder = mkdtempSync(path.join(tmpdir(), 'gander-tried-'));
    cpSync(tinyPool(), path.join(folder, 'pool'), { recursive: true });
    alpha = path.join(folder, 'alpha');
    renameSync(path.join(folder, 'pool/experts/alpha'), alpha);
    await set('pool', path.join(folder, 'pool'));
  });
  after(async () => {
    await closeAll();
    await useTinyPool();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (command: string) => Promise.resolve(vscode.commands.executeCommand(command));
  const tryAlpha = (answer?: (actions: readonly string[]) => string | undefined) =>
    hearing(
      () =>
        answering(
          'showOpenDialog',
          () => [vscode.Uri.file(alpha)],
          () => run('gander.tryExpert'),
        ),
      ({ actions }) => answer?.(actions),
    );
  const tabs = () => vscode.window.tabGroups.all.flatMap((group) => group.tabs.map(({ label }) => label));

  it('compares the experts of the pool in one tab', async () => {
    const said = await hearing(() => run('gander.compareExperts'));
    assert.deepEqual(said, []);
    await until('the tab', () => tabs().includes('Experts Compared'));
    await run('gander.compareExperts');
    assert.equal(tabs().filter((label) => label === 'Experts Compared').length, 1);
    await closeAll();
    await until('no tab', () => !tabs().includes('Experts Compared'));
    await run('gander.compareExperts');
    await until('the tab again', () => tabs().includes('Experts Compared'));
    await closeAll();
  });

  it('tries an expert on the text: both runs are side by side, and nothing is copied', async () => {
    const editor = await show('the model routes each token to a few experts');
    const said = await tryAlpha();
    assert.equal(said.length, 1);
    assert.match(
      said[0]!.text,
      /^Alpha \(rank-stabilised\) fits the pool and takes \d+(\.\d)?\s?% of the choices in this text; chance is 25(\.0)?\s?%\. Log-probability −\d+\.\d{3} → −\d+\.\d{3} nats a token: (no )?worse\.$/,
    );
    assert.deepEqual(said[0]!.actions, ['Add Expert']);
    const { main, other } = api.services.store.of(editor.document.uri.toString())[0]!;
    assert.equal(other?.title, 'with alpha');
    assert.equal(main.trace!.expertSets[0]!.experts.length, 3);
    assert.equal(other.trace!.expertSets[0]!.experts.length, 4);
    assert.deepEqual(readdirSync(path.join(folder, 'pool/experts')).sort(), ['Zeta', 'beta-10', 'beta-2']);
    assert.equal((await api.services.service.pool()).experts.length, 3);
  });

  it('says why an expert does not fit before it routes anything', async () => {
    const editor = await show('another text');
    const other = path.join(folder, 'beta-2');
    cpSync(alpha, other, { recursive: true });
    const said = await hearing(() =>
      answering(
        'showOpenDialog',
        () => [vscode.Uri.file(other)],
        () => run('gander.tryExpert'),
      ),
    );
    assert.match(said[0]!.text, /already has an expert beta-2/);
    assert.deepEqual(api.services.store.of(editor.document.uri.toString()), []);
  });

  it('asks for a text before it asks for a folder', async () => {
    await closeAll();
    const said = await tryAlpha();
    assert.match(said[0]!.text, /No text editor has the focus/);
  });

  it('says for a mixture of experts what there is instead of a comparison, and refuses a trial', async () => {
    await set('pool', 'gosling-moe');
    await show('a text');
    const said = await hearing(() => run('gander.compareExperts'));
    assert.equal(said.length, 1);
    assert.equal(said[0]!.level, 'information');
    assert.match(said[0]!.text, /are not compared\. An atlas shows/);
    assert.deepEqual(said[0]!.actions, ['Open Atlas', 'Choose Model']);
    assert.match((await tryAlpha())[0]!.text, /takes no more experts/);
  });
});
