// What the editor's own views make of a trace that tells little: ids only, experts of each layer's own.
import * as assert from 'node:assert/strict';
import { underlines } from '../../../src/editor/underlines.js';
import type { TestApi } from '../../../src/extension.js';
import type { Trace } from '../../../src/trace/trace.js';
import { fabricateIds, withText } from '../../unit/trace/fabricate.js';
import { closeAll, hover, show, useTinyPool } from './helpers.js';

const text = 'A goose';

/** The same, from a source that knows the text. */
function withOffsets(trace: Trace): Trace {
  const { count } = trace.sequences[0]!.tokens;
  const start = Int32Array.from({ length: count }, (_, t) => t);
  return withText(trace, { text, tokens: { ...trace.sequences[0]!.tokens, start, end: start.map((at) => at + 1) } });
}

describe('a source that gives ids only', () => {
  let api: TestApi;
  before(async () => {
    api = await useTinyPool();
  });
  afterEach(async () => {
    api.parts.store.clear();
    await closeAll();
  });

  const given = async (trace: Trace) => {
    const editor = await show(text);
    const { document } = editor;
    const main = { text, title: 't', strategy: { name: 'theirs' }, interventions: [], trace };
    const uri = document.uri.toString();
    api.parts.store.add({ uri, version: document.version, span: { start: 0, end: text.length }, main });
    return document;
  };

  it('that knows no text says nothing on it', async () => {
    const document = await given(fabricateIds());
    assert.equal(await hover(document, 2), '');
    assert.deepEqual([...underlines(api.parts.store, document).bySlot], []);
  });

  it('that knows the text tells layer by layer, with no weight and no colour', async () => {
    const document = await given(withOffsets(fabricateIds()));
    const [said = ''] = (await hover(document, 2)).split('[Show in');
    assert.match(said, /layer encoder 2: Encoder 2 expert \d+, Encoder 2 expert \d+, Encoder 2 expert \d+, \+5/);
    assert.doesNotMatch(said, /%|NaN|undefined|margin|decoder/i);
    assert.deepEqual([...underlines(api.parts.store, document).bySlot], [], 'experts of one layer colour no text');
  });

  it('leaves the tree without shares, layers and tokens of experts that it does not know', async () => {
    await given(withOffsets(fabricateIds()));
    const { tree } = api.parts;
    const [pool] = await tree.getChildren();
    for (const node of await tree.getChildren(pool)) {
      assert.equal(node.kind, 'expert');
      assert.deepEqual(await tree.getChildren(node), []);
      assert.doesNotMatch(String(tree.getTreeItem(node).description ?? ''), /%|NaN/);
    }
  });
});
