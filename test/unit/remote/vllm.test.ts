import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { knownText, logProbOf, run } from '../../servers/model.js';
import { knowing, modelName, vllm } from '../../servers/vllm.js';
import { chosen, connect, pieces, refusal } from './support.js';

const config = readFileSync(path.resolve(import.meta.dirname, '../../fixtures/imports/config.json'));
const byModule = (rows: readonly (readonly (readonly number[])[])[]) =>
  [0, 1].map((layer) => rows.map((row) => [...row[layer]!]));

beforeAll(() => {
  knowing(knownText);
  knowing('the geese 🪿 fly');
});

const versions = [
  { version: '0.21.0' },
  { version: '0.22.1', dtype: '|u1' },
  { version: '0.23.0', dtype: '<u2' },
  { version: '0.32.0', dtype: '<i4' },
] as const;

describe.each(versions)('vLLM $version', (options) => {
  it('routes a text: each token, its place, its experts', async () => {
    const { engine, info } = await connect(vllm(options), { config });
    const trace = await engine.route({ text: knownText });
    const { prompt, chosen: rows } = run(knownText, 1);
    expect(chosen(trace)).toEqual(byModule(rows));
    expect([...trace.sequences[0]!.tokens.ids!]).toEqual(prompt);
    expect(pieces(trace)).toEqual([
      null,
      'def',
      ' ',
      'a',
      'd',
      'd',
      '(',
      'a',
      ',',
      ' ',
      'b',
      '):',
      ' ',
      '🪿',
      '🪿',
      '🪿',
    ]);
    expect(trace.source).toMatchObject({ kind: 'vllm', name: modelName, versions: { vllm: options.version } });
    expect(trace.router).toEqual({ name: 'mixtral', k: 2 });
    expect(trace.expertSets.map((set) => set.experts.length)).toEqual([8, 8]);
    expect(await info()).toMatchObject({
      engine: 'vllm',
      name: modelName,
      limits: { tokens: 255, k: 2 },
      warnings: [],
    });
  });

  it('continues a text, and says nothing about the last token', async () => {
    const { engine } = await connect(vllm(options), { config });
    const trace = await engine.generate({ text: 'the geese 🪿 fly', maxTokens: 3 });
    const ran = run('the geese 🪿 fly', 3);
    expect(chosen(trace).map((rows) => rows.slice(0, -1))).toEqual(byModule(ran.chosen));
    expect(chosen(trace).map((rows) => rows.at(-1))).toEqual([
      [-1, -1],
      [-1, -1],
    ]);
    expect(trace.sequences[0]!.text).toBe(`the geese 🪿 fly${ran.more}`);
    expect(pieces(trace).slice(-3).join('')).toBe(ran.more);
  });
});

describe('vLLM', () => {
  it('says how likely each token was, and which others were likely', async () => {
    const { engine } = await connect(vllm({ version: '0.22.1' }));
    const { sequences } = await engine.route({ text: knownText });
    const { logProb, topIds, topTokens, predictions, tokens } = sequences[0]!;
    const { prompt } = run(knownText, 1);
    expect(logProb![0]).toBeNaN();
    expect([...logProb!.subarray(1)]).toEqual([...Float32Array.from(prompt.slice(1), logProbOf)]);
    expect(predictions).toBe(5);
    // The alternatives to token 1 are the predictions after token 0.
    expect([...topIds!.subarray(0, 5)]).toEqual([1, 2, 3, 4, 5].map((i) => (prompt[1]! + i) % 320));
    expect(topTokens![0]).toBe(` t${(prompt[1]! + 1) % 320}`);
    expect([...topIds!.subarray(-5)]).toEqual([-1, -1, -1, -1, -1]);
    expect(tokens.text!.slice(0, 3)).toEqual([`#${prompt[0]}`, 'def', ' ']);
  });

  it('does not know the choices of tokens from the prefix cache', async () => {
    const { engine } = await connect(vllm({ version: '0.21.0', cached: 4 }), { config });
    const trace = await engine.route({ text: knownText });
    const [first] = chosen(trace);
    expect(first!.slice(0, 4)).toEqual([
      [-1, -1],
      [-1, -1],
      [-1, -1],
      [-1, -1],
    ]);
    expect(first!.slice(4)).toEqual(byModule(run(knownText, 1).chosen)[0]!.slice(4));
  });

  it('finds the places of tokens by their spelling if the server does not give them', async () => {
    for (const render of ['ids', 'closed', 'absent'] as const) {
      const { engine, asked } = await connect(vllm({ version: '0.22.1', render }));
      const trace = await engine.route({ text: knownText });
      expect(pieces(trace).slice(0, 4)).toEqual([null, 'def', ' ', 'a']);
      expect(pieces(trace).slice(-3)).toEqual(['🪿', '🪿', '🪿']);
      expect(typeof asked.at(-1)!.body!['prompt']).toBe(render === 'ids' ? 'object' : 'string');
    }
  });

  it('says what is not known about the model', async () => {
    const { engine, info } = await connect(vllm({ version: '0.22.1' }));
    expect((await info()).warnings.map(({ code }) => code)).toEqual(['experts-unknown']);
    const trace = await engine.route({ text: knownText });
    const seen = Math.max(...run(knownText, 1).chosen.flat(2)) + 1;
    expect(trace.expertSets[0]!.experts).toHaveLength(seen);
  });

  it('that does not return experts: the error says how to start it', async () => {
    for (const version of ['0.21.0', '0.22.1']) {
      const { engine } = await connect(vllm({ version, routed: false }));
      const { code, message, remedy } = await refusal(engine.route({ text: knownText }));
      expect(code).toBe('server-unrouted');
      expect(message).toMatch(/^http:\/\/127\.0\.0\.1:\d+ does not say which experts it used\.$/);
      expect(remedy).toContain('--enable-return-routed-experts');
    }
  });

  it('refuses a text that is too long for its model before it is run', async () => {
    const { engine, asked } = await connect(vllm({ version: '0.22.1', maxModelLen: 8 }));
    const { code, message } = await refusal(engine.route({ text: knownText }));
    expect(code).toBe('text-too-long');
    expect(message).toMatch(/^The text has 16 tokens; .+ takes at most 7\.$/);
    expect(asked.map(({ path: asking }) => asking)).not.toContain('/v1/completions');
  });

  it('refuses what-ifs, attribution and scores', async () => {
    const { engine, asked } = await connect(vllm({ version: '0.22.1' }));
    const interventions = [{ action: 'knock-out', expert: '0.1', scope: {} }] as const;
    for (const asking of [
      engine.route({ text: 'a', interventions }),
      engine.attribute({ text: 'a' }),
      engine.score({ text: 'a' }),
    ])
      expect(await refusal(asking)).toMatchObject({ code: 'request-invalid' });
    expect(asked.filter(({ method }) => method === 'POST')).toEqual([]);
  });
});
