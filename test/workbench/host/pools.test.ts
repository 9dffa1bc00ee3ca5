import * as assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import { encodeSafetensors } from '../../../src/formats/safetensors.js';
import { readLock } from '../../../src/travel/lock.js';
import { pack } from '../../../src/travel/packed.js';
import { type FakeHub, fakeHub, filesOf } from '../../servers/hub.js';
import { answering, hearing, picking, set, tinyPool, useTinyPool } from './helpers.js';

describe('a person’s own pool', () => {
  let api: TestApi;
  let folder: string;
  let pool: string;
  let newcomer: string;
  before(async () => {
    api = await useTinyPool();
  });
  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'gander-pool-'));
    pool = path.join(folder, 'pool');
    newcomer = path.join(folder, 'newcomer');
    cpSync(tinyPool(), pool, { recursive: true });
    cpSync(path.join(tinyPool(), 'experts/alpha'), newcomer, { recursive: true });
    await set('pool', pool);
  });
  afterEach(async () => {
    await useTinyPool();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (command: string, ...args: unknown[]) =>
    Promise.resolve(vscode.commands.executeCommand(command, ...args));
  /** The messages while an expert is added; `answer` answers each question. */
  const add = (answer = 'Add') =>
    hearing(
      () =>
        answering(
          'showOpenDialog',
          () => [vscode.Uri.file(newcomer)],
          () => run('gander.addExpert'),
        ),
      ({ actions }) => (actions.includes(answer) ? answer : undefined),
    );
  /** As `hearing`; `details` gets what each question says below its first line. */
  const seeing = (details: string[], body: () => Promise<unknown>, answer = 'Add') =>
    hearing(body, ({ actions, detail }) => {
      if (detail !== undefined) details.push(detail);
      return actions.includes(answer) ? answer : undefined;
    });
  const ids = async () => (await api.services.service.pool()).experts.map(({ id }) => id);
  const inPool = () => readdirSync(path.join(pool, 'experts')).sort();
  const node = async (id: string) => {
    const [top] = await api.services.tree.getChildren();
    return (await api.services.tree.getChildren(top)).find((one) => one.kind === 'expert' && one.expert.id === id);
  };

  it('takes an expert, and first says which one, how much and where to', async () => {
    writeFileSync(path.join(newcomer, 'optimizer.pt'), 'of no use here');
    const said = await add();
    assert.match(said[0]!.text, /Add the expert newcomer\?/);
    assert.match(said.at(-1)!.text, /Added the expert newcomer/);
    assert.ok((await ids()).includes('newcomer'));
    assert.ok(!existsSync(path.join(pool, 'experts/newcomer/optimizer.pt')));
    assert.match((await add())[0]!.text, /already has an expert newcomer/);
  });

  it('copies nothing when the answer is no', async () => {
    const before = inPool();
    await add('no such answer');
    assert.deepEqual(inPool(), before);
  });

  it('refuses an expert for another base in plain words, and keeps nothing of it', async () => {
    const before = inPool();
    const name = 'base_model.model.model.layers.0.self_attn.q_proj';
    const data = (count: number) => new Float32Array(count).fill(0.1);
    writeFileSync(
      path.join(newcomer, 'adapter_model.safetensors'),
      encodeSafetensors([
        { name: `${name}.lora_A.weight`, dtype: 'F32', shape: [4, 1536], data: data(4 * 1536) },
        { name: `${name}.lora_B.weight`, dtype: 'F32', shape: [576, 4], data: data(4 * 576) },
      ]),
    );
    rmSync(path.join(newcomer, 'activation.safetensors'));
    writeFileSync(
      path.join(newcomer, 'gate.safetensors'),
      encodeSafetensors([{ name: name.slice(17), dtype: 'F32', shape: [1536], data: data(1536) }]),
    );
    const said = await add();
    assert.equal(said.length, 1);
    assert.match(
      said[0]!.text,
      /newcomer does not fit the pool: it was made for another base model: at model\.layers\.0\.self_attn\.q_proj it maps 1536 to 576 where this one has 32 to 32/,
    );
    assert.deepEqual(inPool(), before);
  });

  it('pins what it takes, and notes what was taken out', async () => {
    await add();
    const entries = async () =>
      (await readLock(pool)).map(({ id, source, removed }) => ({ id, source, gone: !!removed }));
    assert.deepEqual(await entries(), [{ id: 'newcomer', source: 'newcomer', gone: false }]);
    await hearing(
      () => node('newcomer').then((one) => run('gander.removeExpert', one)),
      () => 'Remove',
    );
    assert.deepEqual(await entries(), [{ id: 'newcomer', source: 'newcomer', gone: true }]);
  });

  it('takes a packed expert, after its card was shown', async () => {
    const { baseName, baseHash } = await api.services.service.pool();
    const told = { id: 'newcomer', base: { name: baseName, sha256: baseHash }, author: 'A. Person' };
    const { file } = await pack(newcomer, told, { folder });
    const details: string[] = [];
    const said = await seeing(details, () =>
      answering(
        'showOpenDialog',
        () => [vscode.Uri.file(file)],
        () => run('gander.addPackedExpert'),
      ),
    );
    assert.match(details[0]!, /^Base: Tiny Llama$[^]*^Licence: apache-2\.0$[^]*^By: A\. Person$/m);
    assert.match(said.at(-1)!.text, /Added the expert newcomer/);
    assert.ok((await ids()).includes('newcomer'));
  });

  describe('from a hub', () => {
    let hub: FakeHub;
    before(async () => {
      const { 'adapter_config.json': config, 'adapter_model.safetensors': model } = filesOf(
        path.join(tinyPool(), 'experts/alpha'),
      );
      const main = { 'adapter_config.json': config!, 'adapter_model.safetensors': model! };
      const repository = { revisions: { main }, cardData: { license: 'mit' }, base: 'someone/gander-tiny' };
      hub = await fakeHub({
        'someone/lora': repository,
        'someone/else': { ...repository, base: 'another' },
        'someone/closed': { ...repository, gated: true },
      });
      process.env['HF_ENDPOINT'] = hub.address;
    });
    after(async () => {
      delete process.env['HF_ENDPOINT'];
      await hub.close();
    });
    const fetched = () => hub.asked.filter((one) => one.path.includes('/resolve/')).length;
    const addFromHub = (typed: string, details: string[], answer = 'Add') =>
      seeing(
        details,
        () =>
          answering(
            'showInputBox',
            () => typed,
            () => run('gander.addExpertFromHub'),
          ),
        answer,
      );

    it('takes a PEFT adapter, and fetches no file before its card was agreed to', async () => {
      const details: string[] = [];
      await addFromHub('someone/lora', details, 'no such answer');
      assert.match(
        details[0]!,
        /^Base: someone\/gander-tiny$[^]*^Licence: mit$[^]*^By: someone$[^]*^Commit: [0-9a-f]{40}$/m,
      );
      assert.match(details[0]!, /It has no gate: Arrow can choose it, PHATGOOSE cannot\./);
      assert.equal(fetched(), 0);
      const said = await addFromHub('someone/lora', details);
      assert.match(said.at(-1)!.text, /Added the expert lora/);
      assert.ok((await ids()).includes('lora'));
      assert.equal((await readLock(pool))[0]!.revision, hub.commit('someone/lora', 'main'));
    });

    it('says that one was made for another base, before it is fetched', async () => {
      const details: string[] = [];
      const before = fetched();
      const [said] = await addFromHub('someone/else', details);
      assert.match(details[0]!, /It was made for another base than this pool’s/);
      assert.deepEqual(said!.actions, ['Add Anyway']);
      assert.equal(fetched(), before);
    });

    it('says in one message what a gated one needs', async () => {
      const said = await addFromHub('someone/closed', []);
      assert.match(said.at(-1)!.text, /someone\/closed.* is gated.*Ask for access.*set HF_TOKEN/);
      assert.ok(!(await ids()).includes('closed'));
    });
  });

  it('whose experts are outside it is refused, and nothing is copied there', async () => {
    const elsewhere = path.join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    const file = path.join(pool, 'pool.json');
    const json = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...json, experts: '../elsewhere' }));
    const said = await add();
    assert.match(said[0]!.text, /leads upwards/);
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  it('refuses a folder that is not an expert', async () => {
    newcomer = path.join(tinyPool(), 'base');
    assert.match((await add())[0]!.text, /is not an expert.*Choose a folder/);
  });

  it('removes an expert to the trash or, if there is none, as on a server, to a folder beside it', async () => {
    const said = await hearing(
      () => node('alpha').then((one) => run('gander.removeExpert', one)),
      () => 'Remove',
    );
    assert.ok(!existsSync(path.join(pool, 'experts/alpha')));
    assert.ok(!(await ids()).includes('alpha'));
    if (!said.at(-1)!.text.includes('There is no trash')) return;
    const [kept] = readdirSync(path.join(pool, 'removed'));
    assert.ok(existsSync(path.join(pool, 'removed', kept!, 'adapter_model.safetensors')));
  });

  it('is found again under Choose Model, and the one in use is marked', async () => {
    const copy = path.join(api.services.context.globalStorageUri.fsPath, 'pools/my-pool');
    cpSync(tinyPool(), copy, { recursive: true });
    try {
      let items: readonly vscode.QuickPickItem[] = [];
      await picking(
        [
          (offered) => {
            items = offered;
            return offered.find(({ detail }) => detail === copy);
          },
        ],
        () => run('gander.choosePool'),
      );
      assert.equal(api.services.engines.pool, copy);
      assert.deepEqual(
        items.filter(({ description }) => description === 'current').map(({ detail }) => detail),
        [pool],
      );
      assert.equal(items[0]!.description, 'comes with Gander');
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
