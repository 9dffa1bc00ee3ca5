import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Services } from '../../../src/commands/services.js';
import type { TestApi } from '../../../src/extension.js';
import type { Page } from '../../../src/panel/page.js';
import { closeAll, hearing, routed, show, useTinyPool } from './helpers.js';

const text = 'The quick brown fox jumps over the lazy dog.\n';

describe('the tour', () => {
  let api: TestApi;
  let services: Services;
  before(async () => {
    api = await useTinyPool();
    services = await api.features();
  });
  afterEach(closeAll);

  const take = async () => {
    await vscode.commands.executeCommand('gander.takeTour');
  };

  /** Returns the pages on which a tour was started during `body`. */
  async function started(body: () => Promise<unknown>): Promise<Page[]> {
    const pages = new Set<Page>();
    const { panels } = services;
    const show = panels.show.bind(panels);
    panels.show = (...args) => {
      const open = show(...args);
      const start = open.page.startTour.bind(open.page);
      open.page.startTour = () => {
        pages.add(open.page);
        start();
      };
      return open;
    };
    try {
      await body();
    } finally {
      Reflect.deleteProperty(panels, 'show');
    }
    return [...pages];
  }

  it('goes through the routed text, in its panel', async () => {
    const { id } = await routed(api, await show(text));
    const said = await hearing(async () => {
      const pages = await started(take);
      assert.deepEqual(pages, [services.panels.find(id)?.page]);
    });
    assert.deepEqual(said, []);
  });

  it('offers a sample if nothing is routed, and does nothing if it is declined', async () => {
    services.store.clear();
    const said = await hearing(async () => {
      assert.deepEqual(await started(take), []);
    });
    assert.deepEqual(
      said.map(({ level, actions }) => [level, actions]),
      [['information', ['Open a Sample and Route It']]],
    );
    assert.equal(vscode.window.activeTextEditor, undefined);
  });

  it('routes the sample if it is accepted, and begins there', async () => {
    services.store.clear();
    const said = await hearing(
      async () => {
        const pages = await started(take);
        assert.equal(pages.length, 1);
      },
      ({ actions }) => actions[0],
    );
    assert.equal(said.length, 1);
    const sample = services.store.latest;
    assert.ok(sample?.main.trace);
    assert.match(sample.main.text, /^# Release notes/);
    assert.equal(services.panels.isShown(sample.id), true);
  });
});
