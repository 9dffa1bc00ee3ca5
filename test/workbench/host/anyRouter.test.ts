// What the editor's own views show of a trace with little in it: only ids, and experts of each layer's own.
import * as assert from 'node:assert/strict';
import { colourWords } from '../../../src/host/colours.js';
import { StatusBar } from '../../../src/editor/statusBar.js';
import { drawnBy, underlines } from '../../../src/editor/underlines.js';
import type { Services } from '../../../src/commands/services.js';
import type { TestApi } from '../../../src/extension.js';
import type { Node } from '../../../src/explorer/nodes.js';
import { type Layer, rowsAt, sharedModules } from '../../../src/trace/model/access.js';
import type { Colouring } from '../../../src/trace/figures/colouring.js';
import { slotsIn } from '../../../src/trace/figures/colours.js';
import type { ExpertSet, Intervention, Trace } from '../../../src/trace/model/trace.js';
import * as vscode from 'vscode';
import { fabricate, fabricateIds, withText } from '../../unit/trace/fabricate.js';
import { closeAll, hover, picking, routed, show, until, useTinyPool } from './helpers.js';

const text = 'A goose';

/** The same trace, from a source that knows the text. */
function withOffsets(trace: Trace): Trace {
  const { count } = trace.sequences[0]!.tokens;
  const start = Int32Array.from({ length: count }, (_, t) => t);
  return withText(trace, { text, tokens: { ...trace.sequences[0]!.tokens, start, end: start.map((at) => at + 1) } });
}

let api: TestApi;
/** What the text that was routed last is coloured by, by choice. */
const choice = () => {
  const { by, layer } = api.services.colours.of(api.services.store.latest!);
  return { by, layer };
};
const colour = (by: Colouring, layer = '') => {
  api.services.colours.choose(api.services.store.latest!, { by, layer, over: '', passed: false });
};

describe('a source that gives only ids', () => {
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(async () => {
    colour('experts');
    api.services.store.clear();
    await closeAll();
  });

  const given = async (trace: Trace) => {
    const editor = await show(text);
    const { document } = editor;
    const main = { text, title: 't', strategy: { name: 'theirs' }, interventions: [], trace };
    const uri = document.uri.toString();
    api.services.store.add({ uri, version: document.version, span: { start: 0, end: text.length }, main });
    return document;
  };

  const drawn = (document: vscode.TextDocument) => underlines(api.services.store, document, api.services.colours);
  /** The hover without its link. */
  const said = async (document: vscode.TextDocument) => (await hover(document, 2)).replace(/\[Show in[^)]*\)/, '');
  /** The hover's code block. */
  const told = async (document: vscode.TextDocument) =>
    (await said(document)).split('```')[1]!.split('\n').slice(1, -1);

  it('that does not know the text shows nothing on it', async () => {
    const document = await given(fabricateIds());
    assert.equal(await hover(document, 2), '');
    assert.deepEqual([...drawn(document).bySlot], []);
  });

  it('that knows the text lists experts by layer, without weights, the layer in colour first and in detail', async () => {
    const trace = withOffsets(fabricateIds());
    const document = await given(trace);
    const lines = await told(document);
    assert.equal(lines.length, 8 + 3);
    assert.match(lines[0]!, /^encoder layer 2, expert \d+$/);
    assert.match(lines[8]!, /^encoder layer 3: expert \d+, expert \d+, expert \d+, \+5$/);
    assert.doesNotMatch(await said(document), /%|NaN|undefined|margin|decoder/i);
    colour('experts', 'encoder 4');
    assert.match((await told(document))[0]!, /^encoder layer 4, expert \d+$/);
  });

  it('colours a text by the chosen layer, like its page', async () => {
    const trace = withOffsets(fabricateIds());
    const document = await given(trace);
    const slotsAt = (layer: string) => {
      colour('experts', layer);
      return Array.from({ length: 6 }, (_, t) => {
        const at = (range: vscode.Range) => range.contains(new vscode.Range(0, t, 0, t + 1));
        return [...drawn(document).bySlot].find(([, ranges]) => ranges.some(at))?.[0];
      });
    };
    const expected = (layer: Layer) => {
      const part = sharedModules(trace, { ...layer, sequence: 0 })!;
      const slots = slotsIn(trace, part.set);
      return Array.from({ length: 6 }, (_, t) => slots[rowsAt(trace, part.modules[0]!).chosen[t * 8]!]!);
    };
    for (const layer of [2, 5]) assert.deepEqual(slotsAt(`encoder ${layer}`), expected({ stack: 'encoder', layer }));
    assert.deepEqual(
      slotsAt('encoder 99'),
      expected({ stack: 'encoder', layer: 2 }),
      'a layer that is not there: the first',
    );
    colour('nothing');
    assert.deepEqual([...drawn(document).bySlot, ...drawn(document).byLevel], []);
    // With only ids there is nothing to measure.
    colour('weight');
    assert.deepEqual([...drawn(document).byLevel], []);
    assert.ok(drawn(document).bySlot.size > 0, 'by who leads instead');
    assert.equal(colourWords(trace, choice()), 'encoder layer 2');
  });

  it('is shown in the tree as layer, expert, and the tokens that the expert took', async () => {
    const trace = withOffsets(fabricateIds());
    await given(trace);
    const { tree } = api.services;
    const item = (node: Node) => tree.getTreeItem(node);
    const [model] = await tree.getChildren();
    assert.equal(model!.kind, 'model');
    const layers = await tree.getChildren(model);
    assert.deepEqual(
      layers.map((node) => item(node).label),
      [2, 3, 4, 5].map((layer) => `encoder layer ${layer}`),
    );
    const experts = await tree.getChildren(layers[1]);
    assert.match(String(item(layers[1]!).description), new RegExp(`^${experts.length} of 256 in use$`));
    assert.ok(experts.every((node) => /^load [\d.]+%$/.test(String(item(node).description))));
    const tokens = (await Promise.all(experts.map((node) => tree.getChildren(node)))).flat();
    assert.equal(tokens.length, 6 * 8, 'each token went to eight');
    assert.ok(
      tokens.every((node) => item(node).description === 'line 1'),
      'no weights: none is shown',
    );
    // A click on a layer colours the text by it.
    const { command } = item(layers[2]!);
    await vscode.commands.executeCommand(command!.command, ...(command!.arguments as unknown[]));
    assert.deepEqual(choice(), { by: 'experts', layer: 'encoder 4' });
    const isChosen = (node: Node) => (item(node).iconPath as vscode.ThemeIcon).id === 'symbol-color';
    assert.deepEqual(layers.map(isChosen), [false, false, true, false]);
  });
});

describe('a mixture of experts', () => {
  let panels: Services['panels'];
  before(async () => {
    api = await useTinyPool();
    ({ panels } = await api.features());
  });
  afterEach(async () => {
    colour('experts');
    api.services.store.clear();
    await closeAll();
  });

  const base = fabricate({
    layers: 3,
    kinds: ['router'],
    experts: 8,
    router: { name: 'mixtral', k: 2, scoring: 'softmax' },
  });
  const trace: Trace = {
    ...base,
    expertSets: base.modules.map(() => ({ ...base.expertSets[0]!, scope: 'layer' })),
    modules: base.modules.map((module, s) => ({ ...module, expertSet: s })),
  };
  const content = trace.sequences[0]!.text!;

  const given = async () => {
    const { document } = await show(content);
    const uri = document.uri.toString();
    const main = { text: content, title: 't', strategy: { name: 'mixtral' }, interventions: [], trace };
    const span = { start: 0, end: content.length };
    return { document, routed: api.services.store.add({ uri, version: document.version, span, main }) };
  };

  it('is coloured as its panel or a command chooses', async () => {
    const found = await given();
    const { scene } = panels.show(found.routed);
    await scene.handle({ type: 'colour', by: 'experts', layer: '2', over: '', passed: false });
    assert.deepEqual(choice(), { by: 'experts', layer: '2' });
    const labelled = (label: RegExp) => (items: readonly vscode.QuickPickItem[]) =>
      items.find((item) => label.test(item.label));
    await picking([labelled(/^experts of a layer$/), labelled(/^layer 1$/)], async () => {
      await vscode.commands.executeCommand('gander.colourBy');
    });
    assert.deepEqual(scene.colour(), { by: 'experts', layer: '1', over: '', passed: true });
    await picking([labelled(/^entropy$/), labelled(/^all layers$/)], async () => {
      await vscode.commands.executeCommand('gander.colourBy');
    });
    assert.deepEqual(scene.colour(), { by: 'entropy', layer: '', over: '', passed: true });
    // Nothing is picked, so nothing changes.
    await picking([labelled(/^weight$/), () => undefined], async () => {
      await vscode.commands.executeCommand('gander.colourBy');
    });
    assert.deepEqual(scene.colour(), { by: 'entropy', layer: '', over: '', passed: true });
  });

  it('colours its text by a measure of all layers or one, which the hover shows', async () => {
    const { document } = await given();
    const levels = () => {
      const { bySlot, byLevel } = underlines(api.services.store, document, api.services.colours);
      assert.equal(bySlot.size, 0);
      return [...byLevel].map(([level, ranges]) => [level, ranges.map((range) => document.getText(range))] as const);
    };
    colour('margin');
    const ofAll = levels();
    assert.ok(ofAll.length > 1 && ofAll.every(([level]) => level >= 1 && level <= 4));
    assert.match(await hover(document, 2), /margin, all layers: \d/);
    colour('margin', '1');
    assert.notDeepEqual(levels(), ofAll);
    assert.match(await hover(document, 2), /margin, layer 1: \d/);
  });
});

describe('a pool', () => {
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(async () => {
    colour('experts');
    await closeAll();
  });

  it('is coloured as a command chooses: by leading expert, without a layer, or by a measure', async () => {
    const { document } = await show('A goose.');
    const { main } = await routed(api, vscode.window.activeTextEditor!);
    const { colours, store } = api.services;
    const lines = () => underlines(store, document, colours);
    const labelled = (label: RegExp) => (items: readonly vscode.QuickPickItem[]) =>
      items.find((item) => label.test(item.label));
    const choose = (...answers: RegExp[]) =>
      picking(answers.map(labelled), async () => {
        await vscode.commands.executeCommand('gander.colourBy');
      });
    assert.ok(lines().bySlot.size > 0);
    assert.equal(colourWords(main.trace!, choice()), undefined);
    await choose(/^entropy$/, /^layer 1$/);
    assert.deepEqual(choice(), { by: 'entropy', layer: '1' });
    assert.equal(lines().bySlot.size, 0);
    assert.ok(lines().byLevel.size > 0);
    assert.equal(colourWords(main.trace!, choice()), 'entropy, layer 1');
    assert.match(await hover(document, 3), /entropy, layer 1: \d/);
    await choose(/^surprisal/);
    assert.deepEqual(choice(), { by: 'surprise', layer: '' });
    assert.ok(lines().byLevel.size > 0);
    await choose(/^leading expert$/);
    assert.deepEqual(choice(), { by: 'experts', layer: '' });
    assert.ok(lines().bySlot.size > 0);
    // The trace lacks this measure, so the editor says what it shows instead.
    const bare = { ...main.trace!, sequences: main.trace!.sequences.map(({ logProb: _, ...rest }) => rest) };
    assert.equal(colourWords(bare, { by: 'surprise', layer: '' }), 'leading expert');
  });

  it('keeps its own choice while the panel shows another text, in editor, status bar and panel', async () => {
    const { engines, store, colours, tree, runs } = api.services;
    const { panels } = await api.features();
    const first = await show('A goose.');
    const a = await routed(api, first);
    const { scene } = panels.find(a.id)!;
    const item = statusBarItem(() => {
      new StatusBar(engines, store, colours, tree);
    });
    const said = () => /Text coloured by: (.*)/.exec(item.tooltip as string)?.[1];
    await runs.attribute(a.id);
    const surprise = { by: 'surprise', layer: '', over: '', passed: true } as const;
    await scene.handle({ type: 'colour', ...surprise });
    assert.equal(said(), 'surprisal (−log p)');
    const second = await show('A swan.');
    const b = await routed(api, second);
    assert.equal(scene.id, b.id);
    // A text begins with what was chosen last, and has no attribution yet that could be passed over.
    assert.equal(scene.colour()!.by, 'surprise');
    await runs.attribute(b.id);
    assert.equal(scene.colour()!.passed, false, 'an attribution that was asked for is shown');
    await scene.handle({ type: 'colour', by: 'experts', layer: '', over: 'attribution', passed: false });
    await scene.handle({ type: 'overlay', by: 'attribution' });
    await until('the panel and the status bar follow', () => said() === 'attribution');
    assert.equal(drawnBy(store.get(a.id)!, colours), 'surprisal (−log p)');
    assert.ok(underlines(store, first.document, colours).byLevel.size > 0);
    await vscode.window.showTextDocument(first.document);
    await until('the panel and the status bar follow', () => scene.id === a.id);
    assert.deepEqual(scene.colour(), surprise);
    await scene.handle({ type: 'overlay', by: '' });
    await until('the panel and the status bar follow', () => said() === 'surprisal (−log p)');
    // Routed anew, a text goes on from what was chosen for it, not for another.
    await vscode.window.showTextDocument(second.document);
    await until('the panel and the status bar follow', () => scene.id === b.id);
    const again = await routed(api, vscode.window.activeTextEditor!);
    assert.notEqual(again.id, b.id);
    assert.equal(colours.of(again).over, 'attribution');
  });

  it('has its what-ifs in the status bar while it is on show', async () => {
    const { engines, store, colours, tree, runs } = api.services;
    const { panels } = await api.features();
    const first = await show('A goose.');
    const a = await routed(api, first);
    const item = statusBarItem(() => {
      new StatusBar(engines, store, colours, tree);
    });
    const whole = () => [item.text, item.tooltip as string, item.accessibilityInformation!.label].join('\n');
    const told = () => /^What if: (.*)$/m.exec(item.tooltip as string)?.[1];
    const { name: strategy } = a.main.strategy;
    assert.doesNotMatch(whole(), /what[- ]if/i);
    const [{ experts }] = a.main.trace!.expertSets as [ExpertSet];
    const knockOut = (expert: number, layer: number): Intervention => ({
      action: 'knock-out',
      expert: experts[expert]!.id,
      scope: { layer },
    });
    await runs.route(a.id, 'main', { name: strategy, k: 1 }, [knockOut(0, 0)]);
    assert.match(item.text, / · with 1 what-if( · |$)/);
    assert.equal(told(), `${experts[0]!.name} knocked out in layer 0`);
    assert.match(item.accessibilityInformation!.label, /, with 1 what-if$/);
    await runs.route(a.id, 'main', { name: strategy, k: 1 }, [knockOut(0, 0), knockOut(1, 1)]);
    assert.match(item.text, / · with 2 what-ifs( · |$)/);
    assert.equal(told(), `${experts[0]!.name} knocked out in layer 0, ${experts[1]!.name} knocked out in layer 1`);
    const { scene } = panels.find(a.id)!;
    const b = await routed(api, await show('A swan.'));
    assert.equal(scene.id, b.id);
    await until('the status bar follows', () => !/what[- ]if/i.test(whole()));
    await vscode.window.showTextDocument(first.document);
    await until('the status bar follows', () => item.text.includes('with 2 what-ifs'));
    await runs.route(a.id, 'main', { name: strategy, k: 1 }, []);
    assert.doesNotMatch(whole(), /what[- ]if/i);
  });

  it('is coloured by the change when a comparison opens, and as chosen then', async () => {
    const { id, main, uri } = await routed(api, await show('A goose.'));
    const { colours, store, runs } = api.services;
    const now = () => colours.of({ id, uri }).over;
    await runs.compare(id, { ...main, strategy: { name: 'base' } });
    assert.equal(now(), 'change');
    colour('entropy');
    await runs.attribute(id);
    assert.ok(store.get(id)!.other);
    assert.equal(now(), '');
    runs.closeCompare(id);
    assert.equal(choice().by, 'entropy');
  });

  it('is underlined by the overlay in its panel, as long as that is shown', async () => {
    const { document } = await show('A goose.');
    const { id, main } = await routed(api, vscode.window.activeTextEditor!);
    const { colours, store, runs } = api.services;
    const { panels } = await api.features();
    const { scene } = panels.find(id)!;
    const now = () => store.get(id)!;
    const drawn = () => {
      const { bySlot, byLevel } = underlines(store, document, colours);
      return { slots: bySlot.size, levels: byLevel.size, said: drawnBy(now(), colours) };
    };
    const chosen = drawn();
    assert.equal(chosen.said, undefined);
    await scene.handle({ type: 'overlay', by: 'change' });
    assert.deepEqual(drawn(), { ...chosen, said: 'leading expert' }, 'there is no other run');
    const [{ experts }] = main.trace!.expertSets as [ExpertSet];
    const knockOut: Intervention = { action: 'knock-out', expert: experts[0]!.id, scope: {} };
    await runs.route(id, 'main', main.strategy, [knockOut]);
    assert.equal(drawn().slots, 0);
    assert.ok(drawn().levels > 0);
    assert.equal(drawn().said, 'change: what-if');
    await runs.attribute(id);
    await scene.handle({ type: 'overlay', by: 'attribution' });
    assert.equal(drawn().levels, 0);
    assert.equal(drawn().said, 'attribution');
    // A closed panel shows nothing.
    panels.find(id)!.panel.dispose();
    assert.equal(drawn().said, undefined);
    assert.ok(drawn().slots > 0);
  });
});

/** The item of the status bar that `make` adds. */
function statusBarItem(make: () => void): vscode.StatusBarItem {
  const { createStatusBarItem } = vscode.window;
  let made: vscode.StatusBarItem | undefined;
  Object.assign(vscode.window, {
    createStatusBarItem: (...args: [string]) => (made = createStatusBarItem(...args)),
  });
  try {
    make();
  } finally {
    Object.assign(vscode.window, { createStatusBarItem });
  }
  return made!;
}
