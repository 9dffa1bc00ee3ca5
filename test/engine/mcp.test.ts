/** `gander mcp` as an agent uses it: a real client, the models and atlases that ship. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../servers/http.js';
import { Agent, rowsIn, withShipped } from './agents.js';
import { childrenOf, isAlive, isEmulated, root, temporaryFolder, tinyPool, until } from './support.js';

const query = 'SELECT name FROM birds WHERE wings = 2;';
const cellOf = (rows: readonly (readonly string[])[], name: string) => rows.find(([first]) => first === `\`${name}\``);
const percentIn = (cell: string) => Number(/-?[\d.]+/.exec(cell)![0]);

describe.skipIf(isEmulated)('what ships', () => {
  let agent: Agent;
  const folder = temporaryFolder();

  beforeAll(async () => {
    writeFileSync(path.join(folder, 'query.sql'), `-- birds\n${query}\n`);
    agent = await Agent.start([...withShipped, '--folder', folder]);
  });
  afterAll(() => agent.close());

  it('offers each tool with words and parameters, and none that needs an editor', async () => {
    const { tools } = await agent.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual([
      'list_models',
      'route_text',
      'explain_token',
      'compare_runs',
      'knock_out_expert',
      'describe_expert',
    ]);
    for (const { description, inputSchema, annotations } of tools) {
      expect(description).toMatch(/Use it /);
      expect(description).toMatch(/Do not use it |It runs nothing/);
      for (const parameter of Object.values(inputSchema.properties ?? {}))
        expect(parameter).toHaveProperty('description');
      expect(annotations).toMatchObject({ readOnlyHint: true, openWorldHint: false });
    }
    expect(agent.client.getInstructions()).toContain('list_models');
  });

  it('names the models with their experts, k and strategies', async () => {
    const { text } = await agent.ask('list_models');
    const [pool, mixture] = rowsIn(text, 'model');
    expect(pool).toEqual(expect.arrayContaining(['`smollm2-135m` (default)', 'this machine', '2', '8192', 'yes']));
    expect(mixture).toEqual(
      expect.arrayContaining(['`gosling-moe`', '16 in each of 8 layers, which share none', 'yes']),
    );
    expect(cellOf(rowsIn(text, 'expert'), 'sql')![2]).toContain('SQL');
    expect(text).toContain('`single:<expert>`');
  });

  it('routes a text, explains a token, and says what an expert does there', async () => {
    const route = await agent.ask('route_text', { text: query });
    const id = Number(/^Run (\d+): phatgoose:2 on `smollm2-135m`/.exec(route.text)![1]);
    const [sql] = rowsIn(route.text, 'expert');
    expect(sql![0]).toBe('`sql`');
    expect(percentIn(sql![1]!)).toBeCloseTo(16.9, -0.5);
    expect(sql![3]).toBe('8.3 %');
    expect(rowsIn(route.text, '#')).toHaveLength(11);
    expect(route.text).toMatch(/What the numbers mean:\n- load: .*Chance: /);
    expect(route.progress.at(-1)).toMatchObject({ progress: 11, total: 11, message: 'tokens routed' });

    const token = await agent.ask('explain_token', { run: id, token_text: 'FROM' });
    expect(token.text).toContain('Token 3 of 11, `␣FROM`');
    expect(cellOf(rowsIn(token.text, 'expert'), 'sql')).toBeDefined();
    expect(rowsIn(token.text, 'layer')).toHaveLength(30);
    const margins = rowsIn(token.text, 'layer, module').map((row) => Number(row[3]));
    expect(margins).toEqual([...margins].sort((a, b) => a - b));
    const layer = await agent.ask('explain_token', { run: id, token: 3, layer: 4 });
    expect(rowsIn(layer.text, 'module').map(([kind]) => kind)).toEqual(['q', 'k', 'v', 'o', 'gate', 'up', 'down']);

    const without = await agent.ask('knock_out_expert', { run: id, expert: 'SQL' });
    expect(without.text).toContain(`phatgoose:2, knock-out sql on smollm2-135m`);
    const change = Number(/, ([+-][\d.]+) nats per token/.exec(without.text)![1]);
    expect(change).toBeLessThan(-0.02);
    expect(cellOf(rowsIn(without.text, 'expert'), 'sql')![1]).toMatch(/^-1\d\.\d$/);
    expect(without.text).toContain('Cut: the 12 of 30 layers');
    const after = Number(/^Run (\d+)/.exec(without.text)![1]);

    const again = await agent.ask('compare_runs', { run_a: id, run_b: after });
    expect(rowsIn(again.text, 'layer').at(-1)).toEqual(rowsIn(without.text, 'layer').at(-1)!.slice(0, 5));
    const same = await agent.ask('compare_runs', { run_a: id, run_b: id });
    expect(same).toMatchObject({ failed: true, text: 'Both numbers are of one run. Give the numbers of two runs.' });
  });

  it('describes an expert of a pool and one of a mixture from the atlases', async () => {
    const sql = await agent.ask('describe_expert', { expert: 'sql' });
    expect(sql.text).toContain('Its card says: SQL scripts');
    expect(sql.text).toContain('specialised in `sql`');
    expect(cellOf(rowsIn(sql.text, 'label'), 'sql')).toEqual(expect.arrayContaining(['+1.86', 'specialised']));
    const unit = await agent.ask('describe_expert', { expert: '3.7', model: 'gosling-moe' });
    expect(unit.text).toContain('## 3');
    expect(unit.text).toContain('specialised in `html`');
    expect(rowsIn(unit.text, 'weight').length).toBeGreaterThan(0);
  });

  it('routes by a mixture’s native router, layer by layer, and forbids one of its experts', async () => {
    const route = await agent.ask('route_text', { text: query, model: 'gosling-moe' });
    expect(rowsIn(route.text, 'layer')).toHaveLength(8);
    const id = Number(/^Run (\d+)/.exec(route.text)![1]);
    const most = /`(3\.\d+)`/.exec(rowsIn(route.text, 'layer')[3]!.at(-1)!)![1]!;
    const without = await agent.ask('knock_out_expert', { run: id, expert: most });
    expect(rowsIn(without.text, 'layer').find(([layer]) => layer === '3')![5]).not.toBe('0.0 %');
    const strategy = await agent.ask('route_text', { text: query, model: 'gosling-moe', strategy: 'phatgoose' });
    expect(strategy.failed).toBe(true);
    expect(strategy.text).toBe('gosling-moe has no strategy "phatgoose". It takes: native[:k].');
  });

  it('reads a part of a file in a shared folder, and no other file', async () => {
    const file = path.join(folder, 'query.sql');
    const part = await agent.ask('route_text', { file_path: file, first_line: 2, last_line: 2 });
    expect(part.text).toContain('11 tokens, mean log p');
    expect((await agent.ask('route_text', { file_path: 'query.sql' })).failed).toBe(false);

    const outside = temporaryFolder();
    writeFileSync(path.join(outside, 'secret.txt'), 'a secret');
    symlinkSync(outside, path.join(folder, 'link'));
    mkdirSync(path.join(folder, 'inner'));
    const refused = [
      path.join(outside, 'secret.txt'),
      path.join(folder, 'link/secret.txt'),
      `${folder}/inner/../../${path.basename(outside)}/secret.txt`,
      `../${path.basename(outside)}/secret.txt`,
      path.join(outside, 'nothing.txt'),
      '/etc/hostname',
    ];
    for (const file_path of refused) {
      const { text, failed } = await agent.ask('route_text', { file_path });
      expect({ file_path, failed }).toEqual({ file_path, failed: true });
      expect(text).toBe(
        `${file_path} was not read: it is in no folder that the user shared. Give a file in ${folder}, or the text itself.`,
      );
    }
    const missing = await agent.ask('route_text', { file_path: 'nothing.sql' });
    expect(missing.text).toBe(`There is no file nothing.sql. Give the path of a file in ${folder}.`);
  });

  it('says what to do about a call that cannot be answered', async () => {
    const said = async (name: string, args: object) => {
      const { text, failed } = await agent.ask(name, args);
      expect(failed).toBe(true);
      return text;
    };
    expect(await said('route_text', {})).toContain('Give text, or file_path.');
    expect(await said('route_text', { text: ' ' })).toBe(
      'There is no text to route. Give a text with at least one word.',
    );
    expect(await said('route_text', { txt: 'a' })).toContain('Its parameters are text, file_path');
    expect(await said('route_text', { text: 'a', model: 'gpt' })).toContain('Models: smollm2-135m, gosling-moe.');
    expect(await said('route_text', { text: 'a', strategy: 'single:perl' })).toMatch(
      /no expert "perl"\. Experts: c, css,/,
    );
    expect(await said('explain_token', { run: 999, token: 1 })).toMatch(/^There is no run 999\./);
    expect(await said('describe_expert', { expert: '3.99', model: 'gosling-moe' })).toContain('0.0, 0.1, 0.2 … 7.15');
    expect(await said('open_in_panel', { run: 1 })).toMatch(/^There is no tool open_in_panel\. Tools: list_models/);
    const { text } = await agent.ask('route_text', { text: query });
    const run = Number(/^Run (\d+)/.exec(text)![1]);
    expect(await said('knock_out_expert', { run, expert: 'perl' })).toContain('Experts: c, css');
    expect(await said('explain_token', { run, token: 11 })).toBe(
      'There is no token 11. The run has the tokens 0 to 10.',
    );
    expect(await said('explain_token', { run, token_text: 'birdsong' })).toContain('4 (␣birds)');
    const long = await said('route_text', { text: 'word '.repeat(3000), model: 'gosling-moe' });
    expect(long).toContain('Route a part: a shorter text, or first_line and last_line of a file.');
  });

  it('stops a run in its middle when the call is cancelled, and answers the next', async () => {
    const stop = new AbortController();
    const asked = agent.ask(
      'route_text',
      { text: 'The goose sleeps. '.repeat(900) },
      {
        signal: stop.signal,
        onProgress: ({ progress, total }) => total && progress > 0 && progress < total && stop.abort(),
      },
    );
    await expect(asked).rejects.toThrow();
    expect(stop.signal.aborted).toBe(true);
    const next = await agent.ask('route_text', { text: query });
    expect(next.failed).toBe(false);
  });

  it('answers two calls at once, each with its own', async () => {
    const [a, b] = await Promise.all([
      agent.ask('route_text', { text: 'def add(a, b):\n    return a + b\n' }),
      agent.ask('route_text', { text: query, model: 'gosling-moe' }),
    ]);
    expect(a.text).toContain('on `smollm2-135m`');
    expect(b.text).toContain('on `gosling-moe`');
    expect(/^Run (\d+)/.exec(a.text)![1]).not.toBe(/^Run (\d+)/.exec(b.text)![1]);
  });

  it('cuts a long list and says so, and writes nothing but the protocol', async () => {
    const { text } = await agent.ask('route_text', { text: 'The goose sleeps on the lake. '.repeat(20) });
    expect(rowsIn(text, '#')).toHaveLength(40);
    expect(text).toMatch(/Cut: 40 of \d+ tokens are shown\. explain_token/);
    expect(text.length).toBeLessThan(12_000);
    expect(agent.errors).toEqual([]);
  });
});

describe('gander mcp', () => {
  it('names a model that is missing, and takes another', async () => {
    const agent = await Agent.forTest(['--pool', '/nowhere/pool', '--with-engine', tinyPool]);
    const { text } = await agent.ask('list_models');
    const [gone, tiny] = rowsIn(text, 'model');
    expect(gone![1]).toMatch(/^cannot be used: .*Tell the user/);
    expect(tiny![0]).toBe('`tiny-pool`');
    expect(await agent.ask('route_text', { text: 'a goose' })).toMatchObject({ failed: true });
    expect((await agent.ask('route_text', { text: 'a goose', model: 'tiny-pool' })).failed).toBe(false);
    const described = await agent.ask('describe_expert', { expert: 'Zeta', model: 'tiny-pool' });
    expect(described.text).toContain('There is no atlas of this model here');
  });

  it('sends text to a server only if it was named, and says so', async () => {
    const server = await listen((_, response) => response.writeHead(404).end());
    const agent = await Agent.forTest(['--pool', tinyPool, '--with-engine', server.address]);
    const { tools } = await agent.client.listTools();
    expect(tools.find(({ name }) => name === 'route_text')!.annotations!.openWorldHint).toBe(true);
    await agent.ask('route_text', { text: 'a goose' });
    expect(server.asked).toEqual([]);
    const { text } = await agent.ask('list_models');
    expect(rowsIn(text, 'model')[1]).toEqual(expect.arrayContaining([server.address]));
    expect(server.asked.length).toBeGreaterThan(0);
    await server.close();
  });

  it('ends with its client, and takes its models with it', async () => {
    const agent = await Agent.start(['--pool', tinyPool, '--folder', root]);
    await agent.ask('route_text', { text: 'a goose' });
    const pid = agent.transport.pid!;
    const children = childrenOf(pid);
    expect(children.length).toBeGreaterThan(0);
    await agent.close();
    await until(() => !isAlive(pid) && children.every((child) => !isAlive(child)));
  });
});
