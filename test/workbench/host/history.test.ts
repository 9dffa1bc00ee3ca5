import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Services } from '../../../src/commands/services.js';
import { drawnBy, underlines } from '../../../src/editor/underlines.js';
import type { TestApi } from '../../../src/extension.js';
import type { Strategy } from '../../../src/strategies/strategy.js';
import { plain } from '../../../src/trace/text/label.js';
import { closeAll, picking, pressing, routed, show, useTinyPool } from './helpers.js';

const text = 'The quick brown fox jumps over the lazy dog.';

describe('run history', () => {
  let api: TestApi;
  let services: Services;
  let editor: vscode.TextEditor;
  let id: number;
  before(async () => {
    api = await useTinyPool();
    services = await api.features();
  });
  /** Three runs: routed, routed with the base alone, and with an expert knocked out. */
  beforeEach(async () => {
    editor = await show(text);
    id = (await routed(api, editor)).id;
    const first = main().strategy;
    await route({ name: 'base' });
    await services.runs.route(id, 'main', first, [{ action: 'knock-out', expert: expert().id, scope: { layer: 1 } }]);
  });
  afterEach(closeAll);

  const main = () => api.services.store.get(id)!.main;
  const expert = () => services.history.of(uri()).at(-1)!.result.trace.expertSets[0]!.experts[0]!;
  const uri = () => editor.document.uri.toString();
  const route = (strategy: Strategy) => services.runs.route(id, 'main', strategy, []);
  const open = async () => {
    await vscode.commands.executeCommand('gander.history');
  };

  /** Counts the routing requests during `body`. */
  async function asked(body: () => Promise<unknown>): Promise<number> {
    const { service } = api.services;
    let runs = 0;
    const route = service.route.bind(service);
    service.route = (...args) => {
      runs++;
      return route(...args);
    };
    try {
      await body();
    } finally {
      Reflect.deleteProperty(service, 'route');
    }
    return runs;
  }

  it('lists the runs of the document in words, the newest first', async () => {
    let rows: readonly vscode.QuickPickItem[] = [];
    const look = (items: readonly vscode.QuickPickItem[]) => {
      rows = items;
      return undefined;
    };
    await picking([look], open);
    const tokens = main().trace!.sequences[0]!.tokens.count;
    assert.equal(rows.length, 3);
    // What differs cannot be cut off.
    assert.match(rows[2]!.label, /^PHATGOOSE, \d experts? per token$/);
    assert.equal(rows[1]!.label, 'Base model alone');
    assert.equal(rows[0]!.label, `${rows[2]!.label}, ${expert().name} knocked out in layer 1`);
    // The time and which one is on show cannot either.
    const time = '\\d+:\\d\\d\\S*(?: [AP]M)?';
    const of = `shown-\\d+ · ${tokens} tokens · mean log-probability −\\d+\\.\\d\\d a token`;
    assert.match(rows[0]!.detail!, new RegExp(`^${time} · on show · ${of}$`));
    for (const row of rows.slice(1)) assert.match(row.detail!, new RegExp(`^${time} · ${of}$`));
    assert.ok(rows.every(({ description }) => description === undefined));
    assert.equal(main().trace!.interventions.length, 1, 'looking changes nothing');
  });

  it('begins with what differs where all runs have one strategy', async () => {
    const later = await show('A goose and a swan.');
    id = (await routed(api, later)).id;
    const knockOut = { action: 'knock-out', expert: main().trace!.expertSets[0]!.experts[0]!.id, scope: {} } as const;
    await services.runs.route(id, 'main', main().strategy, [knockOut]);
    let rows: readonly vscode.QuickPickItem[] = [];
    await picking([(items) => void (rows = items)], open);
    assert.match(rows[0]!.label, /^\S+ knocked out everywhere$/);
    assert.doesNotMatch(rows[0]!.label, /PHATGOOSE/);
    assert.match(rows[0]!.detail!, / · PHATGOOSE, \d experts? per token · /);
    assert.match(rows[1]!.label, /^PHATGOOSE/);
  });

  it('tells how what the model wrote begins', async () => {
    await services.runs.generate(id, { maxTokens: 60, temperature: 0 });
    const { text: given, trace } = main();
    const written = trace!.sequences[0]!.text!.slice(given.length);
    let label = '';
    const look = (items: readonly vscode.QuickPickItem[]) => {
      label = items[0]!.label;
      return undefined;
    };
    await picking([look], open);
    const [, shown] = /, generated “(.{1,41})”$/.exec(label)!;
    assert.ok(written.trim().length > 40 && shown!.endsWith('…'), shown);
    assert.ok(plain(written.replace(/\s+/g, ' ')).includes(shown!.slice(0, -1)), `${shown} of ${written}`);
  });

  it('shows a run again in its panel, without asking an engine', async () => {
    const base = services.history.of(uri())[1]!.result.trace;
    assert.equal(base.router.name, 'base');
    const runs = await asked(() => picking([(items) => items[1]], open));
    assert.equal(runs, 0);
    assert.equal(main().trace, base);
    assert.deepEqual(main().interventions, []);
    const { scene } = services.panels.find(id)!;
    assert.equal(scene.side('main')!.trace, base);
    assert.equal(scene.side('main')!.stale, false);
    assert.equal(services.history.of(uri()).length, 3);
  });

  it('says that a run’s text has changed since, and shows it as stale', async () => {
    await editor.edit((edit) => {
      edit.insert(editor.document.positionAt(text.length - 1), ' again');
    });
    await picking(
      [
        (items) => {
          assert.ok(items.every(({ detail }) => detail!.endsWith('the text has changed since')));
          return items[2];
        },
      ],
      open,
    );
    assert.equal(main().trace!.interventions.length, 0);
    assert.equal(services.panels.find(id)!.scene.side('main')!.stale, true);
  });

  it('shows a run of a range that was replaced by a newer one', async () => {
    const newer = await routed(api, editor);
    assert.notEqual(newer.id, id);
    // The same run as the first, so both have one row.
    assert.equal(services.history.of(uri()).length, 3);
    await picking([(items) => items[2]], open);
    assert.equal(main().trace!.router.name, 'base');
    assert.deepEqual(
      api.services.store.of(uri()).map((one) => one.id),
      [id],
    );
    assert.equal(services.panels.find(id)!.scene.id, id);
  });

  it('compares a run with the one on show, with the button of its row', async () => {
    const [whatIf, base] = services.history.of(uri());
    const runs = await asked(() => picking([pressing((items) => items[1])], open));
    assert.equal(runs, 0);
    const { scene } = services.panels.find(id)!;
    assert.equal(scene.side('main')!.trace, whatIf!.result.trace);
    assert.equal(scene.side('other')!.trace, base!.result.trace);
    assert.equal(scene.side('other')!.title, 'Base model alone');
  });

  it('says whose runs they are, and how far back they go', async () => {
    let said: string | undefined;
    const look = (_: unknown, box: Pick<vscode.QuickPick<vscode.QuickPickItem>, 'placeholder'>) => {
      said = box.placeholder;
      return undefined;
    };
    await picking([look], open);
    assert.match(said!, /^Runs of \S+ since this window was opened or reloaded$/);
  });

  it('underlines the text by its change beside a run in which the model wrote more', async () => {
    await services.runs.generate(id, { maxTokens: 8, temperature: 0 });
    await picking([(items) => items.at(-1)], open);
    await picking([pressing((items) => items[0])], open);
    const { store, colours } = api.services;
    const { main, other } = store.get(id)!;
    const count = ({ trace }: typeof main) => trace!.sequences[0]!.tokens.count;
    assert.ok(count(other!) > count(main));
    // What the panel says when it colours by the change.
    colours.overlay(id, 'change');
    assert.equal(drawnBy(store.get(id)!, colours), 'change: other run');
    const drawn = underlines(store, editor.document, colours);
    assert.equal(drawn.bySlot.size, 0);
    assert.ok(drawn.byLevel.size > 0);
  });

  it('also compares with a finished run from Compare With', async () => {
    const byLabel = (items: readonly vscode.QuickPickItem[]) => items.find(({ label }) => label === 'A Finished Run…');
    const runs = await asked(() =>
      picking([byLabel, (items) => items[1]], async () => {
        await vscode.commands.executeCommand('gander.compareWith');
      }),
    );
    assert.equal(runs, 0);
    assert.deepEqual(api.services.store.get(id)!.other!.interventions, []);
    assert.equal(api.services.store.get(id)!.other!.trace!.router.name, 'phatgoose');
  });

  it('offers no comparison of the run on show with itself', async () => {
    let buttons: (number | undefined)[] = [];
    const look = (items: readonly vscode.QuickPickItem[]) => {
      buttons = items.map((item) => item.buttons?.length);
      return undefined;
    };
    await picking([look], open);
    assert.deepEqual(buttons, [0, 1, 1]);
  });

  it('refuses to compare a run with itself', () => {
    const run = services.history.of(uri())[0]!;
    assert.throws(
      () => services.runs.compareFinished(id, run.result),
      /^GanderError: A run cannot be compared with itself\./,
    );
    assert.equal(api.services.store.get(id)!.other, undefined);
  });
});
