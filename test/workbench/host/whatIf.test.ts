import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Services } from '../../../src/commands/services.js';
import type { TestApi } from '../../../src/extension.js';
import { answering, closeAll, picking, routed, show, until, useTinyPool } from './helpers.js';

const text = 'The quick brown fox jumps over the lazy dog.';

const strategy = (name: string) => (items: readonly vscode.QuickPickItem[]) =>
  (items as readonly (vscode.QuickPickItem & { readonly value: string })[]).find(({ value }) => value === name);

describe('what if', () => {
  let api: TestApi;
  let panels: Services['panels'];
  let id: number;
  before(async () => {
    api = await useTinyPool();
    ({ panels } = await api.features());
  });
  beforeEach(async () => {
    id = (await routed(api, await show(text))).id;
  });
  afterEach(closeAll);

  const main = () => api.services.store.get(id)!.main;
  const expertNode = async (index = 0) => {
    const pool = await api.services.service.pool();
    return { kind: 'expert', expert: pool.experts[index]!, index, label: '' } as const;
  };

  it('knocks an expert out: it is never chosen, and predictions change', async () => {
    const node = await expertNode();
    const before = main().trace!;
    await vscode.commands.executeCommand('gander.knockOut', node);
    const { trace } = main();
    assert.deepEqual(trace!.interventions, [{ action: 'knock-out', expert: node.expert.id, scope: {} }]);
    assert.ok(before.blocks[0]!.chosen.includes(0));
    assert.ok(!trace!.blocks[0]!.chosen.includes(0));
    assert.notDeepEqual([...trace!.sequences[0]!.logProb!], [...before.sequences[0]!.logProb!]);
    assert.deepEqual([...main().before!.sequences[0]!.logProb!], [...before.sequences[0]!.logProb!]);
    await vscode.commands.executeCommand('gander.clearWhatIf');
    assert.deepEqual([...main().trace!.sequences[0]!.logProb!], [...before.sequences[0]!.logProb!]);
    assert.equal(main().before, undefined);
  });

  it('asks which expert and where, from the palette', async () => {
    await picking([(items) => items[1], (items) => items.find(({ label }) => label === 'In layer 1')], async () => {
      await vscode.commands.executeCommand('gander.force');
    });
    const [intervention] = main().trace!.interventions;
    assert.equal(intervention!.action, 'force');
    assert.deepEqual(intervention!.scope, { layer: 1 });
  });

  it('offers experts in the order of their names, not of their ids', async () => {
    let offered: string[] = [];
    const look = (items: readonly vscode.QuickPickItem[]) => void (offered = items.map(({ label }) => label));
    await picking([look], async () => {
      await vscode.commands.executeCommand('gander.force');
    });
    assert.equal(main().trace!.expertSets[0]!.experts[0]!.name, 'Zeta');
    assert.deepEqual(offered, ['ARS Alpha (rank-stabilised)', 'B2 Beta 2', 'B10 Beta 10 (patterns)', 'Zeta']);
  });

  it('runs one expert alone', async () => {
    await vscode.commands.executeCommand('gander.solo', await expertNode(2));
    const last = main().interventions.at(-1);
    assert.deepEqual(last, { action: 'force', expert: main().trace!.expertSets[0]!.experts[2]!.id, scope: {} });
    assert.ok(main().trace!.blocks[0]!.chosen.every((expert) => expert === 2 || expert === -1));
  });

  it('attributes', async () => {
    await vscode.commands.executeCommand('gander.attribute');
    const { attribution, trace } = main();
    assert.equal(attribution!.change.length, trace!.sequences[0]!.tokens.count * trace!.expertSets[0]!.experts.length);
    assert.ok(attribution!.change.some((change) => change !== 0 && !Number.isNaN(change)));
  });

  it('shows what each layer would predict, after a given token and after a written one', async () => {
    const ask = (token: number) => panels.find(id)!.scene.handle({ type: 'lens', token });
    await ask(3);
    const predicted = (token: number) => {
      const { routed: column, layers } = main().lenses![0]!;
      const { topIds, predictions } = main().trace!.sequences[0]!;
      assert.equal(column.topIds.length, layers.length * predictions);
      assert.equal(column.topIds.at(-predictions), topIds![token * predictions]);
    };
    predicted(3);
    assert.ok('topIds' in main().lenses![0]!.without);
    await answering(
      'showInputBox',
      () => '4',
      async () => {
        await vscode.commands.executeCommand('gander.generate');
      },
    );
    assert.equal(main().lenses, undefined);
    const last = main().trace!.sequences[0]!.tokens.count - 1;
    await ask(last);
    predicted(last);
    assert.equal(main().lenses![0]!.routed.logProb, undefined);
  });

  it('generates text, which is not put into the document', async () => {
    await answering(
      'showInputBox',
      () => '4',
      async () => {
        await vscode.commands.executeCommand('gander.generate');
      },
    );
    const { trace } = main();
    assert.ok(trace!.sequences[0]!.text!.startsWith(text));
    assert.ok(trace!.sequences[0]!.tokens.count > 4);
    assert.equal(api.services.store.get(id)!.stale, false);
    const spans = api.services.store.tokenSpans(id)!;
    assert.ok(spans.end.every((end) => end <= text.length));
    // Its panel distinguishes the written text from the given one.
    const { scene } = panels.find(id)!;
    assert.equal(scene.side('main')!.given, text.length);
    const { count, asked, otherwise } = scene.side('main')!.written!;
    assert.deepEqual([asked, otherwise], [4, {}]);
    assert.ok(count > 0 && count <= 4);
    assert.equal(scene.isTextVisible(), false);
  });

  it('keeps what was generated under a what-if, and has the generated run again when that is undone', async () => {
    await api.services.runs.generate(id, { maxTokens: 4, temperature: 0 });
    const { trace: generated, strategy: asked, interventions } = main();
    const written = generated!.sequences[0]!.text!;
    assert.ok(written.length > text.length);
    const expert = generated!.expertSets[0]!.experts[0]!.id;
    const { scene } = panels.find(id)!;
    const wrote = scene.side('main')!.written!;
    assert.deepEqual(wrote.otherwise, {});
    const route = (list: typeof interventions) =>
      scene.handle({ type: 'route', side: 'main', strategy: asked, interventions: list });
    await route([...interventions, { action: 'knock-out', expert, scope: {} }]);
    assert.equal(main().trace!.sequences[0]!.text, written);
    assert.equal(main().before!.sequences[0]!.text, written);
    assert.equal(scene.side('main')!.given, text.length);
    // What it was written with stays told, and so does how much was written, whatever reads it now.
    assert.deepEqual(scene.side('main')!.written, { ...wrote, otherwise: { interventions } });
    await scene.handle({ type: 'route', side: 'main', strategy: { name: 'base' }, interventions });
    assert.deepEqual(scene.side('main')!.written, { ...wrote, otherwise: { strategy: asked } });
    await route(interventions);
    assert.equal(main().trace, generated);
    assert.equal(scene.side('main')!.given, text.length);
    assert.deepEqual(scene.side('main')!.written, wrote);
  });

  it('says of a text that was written under a what-if that it was, once that is undone', async () => {
    const { strategy: asked, interventions: former } = main();
    const { scene } = panels.find(id)!;
    const route = (list: typeof former) =>
      scene.handle({ type: 'route', side: 'main', strategy: asked, interventions: list });
    const expert = main().trace!.expertSets[0]!.experts[0]!.id;
    const forced: typeof former = [{ action: 'force', expert, scope: {} }];
    await route(forced);
    await api.services.runs.generate(id, { maxTokens: 4, temperature: 0 });
    assert.equal(main().before!.sequences[0]!.text, main().trace!.sequences[0]!.text);
    assert.deepEqual(main().before!.interventions, []);
    const wrote = scene.side('main')!.written!;
    assert.deepEqual(wrote.otherwise, {});
    await route([]);
    assert.deepEqual(scene.side('main')!.written, { ...wrote, otherwise: { interventions: forced } });
    await route(former);
  });

  it('compares with another strategy', async () => {
    await picking([(items) => items[0], strategy('base')], async () => {
      await vscode.commands.executeCommand('gander.compareWith');
    });
    const { other } = api.services.store.get(id)!;
    assert.equal(other!.trace!.router.name, 'base');
    assert.equal(other!.trace!.sequences[0]!.text, text);
  });

  it('chooses a strategy', async () => {
    await picking([strategy('merged')], async () => {
      await vscode.commands.executeCommand('gander.chooseStrategy');
    });
    assert.equal(main().trace!.router.name, 'merged');
  });

  it('keeps the strategy that was chosen, for its text and for others, until the settings say another', async () => {
    await picking([strategy('merged')], async () => {
      await vscode.commands.executeCommand('gander.chooseStrategy');
    });
    const router = async (editor: vscode.TextEditor) => (await routed(api, editor)).main.trace!.router.name;
    const first = await vscode.workspace.openTextDocument(vscode.Uri.parse(api.services.store.get(id)!.uri));
    const again = async () => router(await vscode.window.showTextDocument(first));
    assert.equal(await again(), 'merged');
    assert.equal(await router(await show('Another text.')), 'merged');
    const settings = vscode.workspace.getConfiguration('gander');
    try {
      await settings.update('strategy', 'arrow', vscode.ConfigurationTarget.Global);
      assert.equal(await again(), 'arrow');
      assert.equal(await router(await show('A third text.')), 'arrow');
    } finally {
      await settings.update('strategy', undefined, vscode.ConfigurationTarget.Global);
    }
  });

  it('changes nothing when nothing is picked', async () => {
    const before = main();
    for (const command of ['gander.knockOut', 'gander.solo', 'gander.chooseStrategy', 'gander.compareWith']) {
      await picking([() => undefined], async () => {
        await vscode.commands.executeCommand(command);
      });
    }
    for (const command of ['gander.knockOut', 'gander.compareWith']) {
      await picking([(items) => items[0], () => undefined], async () => {
        await vscode.commands.executeCommand(command);
      });
    }
    assert.equal(main(), before);
  });
});

describe('the engine', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(closeAll);

  it('is started again by the next request after it was killed', async () => {
    const editor = await show('A goose.');
    await routed(api, editor);
    const pid = api.services.engines.engine.pid;
    assert.ok(pid);
    process.kill(pid, 'SIGKILL');
    await until('its end is noticed', () => api.services.engines.engine.pid !== pid);
    const next = await show('Another goose.');
    assert.equal((await routed(api, next)).main.trace!.sequences[0]!.text, 'Another goose.');
    assert.notEqual(api.services.engines.engine.pid, pid);
  });

  it('restarts when told to', async () => {
    await routed(api, await show('A third goose.'));
    const pid = api.services.engines.engine.pid;
    await vscode.commands.executeCommand('gander.restartEngine');
    await until(
      'another child',
      () => api.services.engines.engine.pid !== undefined && api.services.engines.engine.pid !== pid,
    );
  });
});
