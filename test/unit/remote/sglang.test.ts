import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { knownText, run } from '../../servers/model.js';
import { int32, sglang } from '../../servers/sglang.js';
import { atRun } from '../../servers/hostile.js';
import { json } from '../../servers/http.js';
import { chosen, connect, pieces, refusal } from './support.js';

/** The config.json of the server's model: with one more layer, which has no experts. */
const config = new TextEncoder().encode(
  JSON.stringify({
    ...(JSON.parse(
      readFileSync(path.resolve(import.meta.dirname, '../../fixtures/imports/config.json'), 'utf8'),
    ) as object),
    num_hidden_layers: 3,
    first_k_dense_replace: 1,
  }),
);
const byModule = (rows: readonly (readonly (readonly number[])[])[]) =>
  [0, 1].map((layer) => rows.map((row) => [...row[layer]!]));
const layersOf = (trace: { modules: readonly { layer: number }[] }) => trace.modules.map(({ layer }) => layer);
const parts = (asked: readonly { path: string; body: object | undefined }[]) =>
  asked
    .filter(({ path: asking }) => asking === '/generate')
    .map(({ body }) => Object.keys(body!).filter((key) => key.includes('expert')));

describe('SGLang', () => {
  it('gives expert ids in two parts, which name their layers', async () => {
    const { engine, asked } = await connect(sglang({ version: '0.6.0' }));
    const trace = await engine.route({ text: knownText });
    expect(chosen(trace)).toEqual(byModule(run(knownText, 1).chosen));
    expect(layersOf(trace)).toEqual([1, 2]);
    expect(pieces(trace).slice(0, 4)).toEqual([null, 'def', ' ', 'a']);
    expect(trace.source).toMatchObject({ kind: 'sglang', versions: { sglang: '0.6.0' } });
    // The predictions after the last token are known too.
    expect([...trace.sequences[0]!.topIds!.subarray(-5)]).not.toContain(-1);
    expect(parts(asked)).toEqual([['return_input_expert_ids', 'return_output_expert_ids']]);
  });

  it('of an older version is asked only once for what it does not know, and read with its model’s config.json', async () => {
    const { engine, asked } = await connect(sglang({ version: '0.5.23', parts: false }), { config });
    const trace = await engine.route({ text: knownText });
    expect(chosen(trace)).toEqual(byModule(run(knownText, 1).chosen));
    expect(layersOf(trace)).toEqual([1, 2]);
    await engine.route({ text: 'the geese' });
    expect(parts(asked)).toEqual([
      ['return_input_expert_ids', 'return_output_expert_ids'],
      ['return_routed_experts'],
      ['return_routed_experts'],
    ]);
  });

  it('of an older version without a config.json: the error says what is missing', async () => {
    const { engine } = await connect(sglang({ version: '0.5.23', parts: false }));
    const { code, message, remedy } = await refusal(engine.route({ text: knownText }));
    expect(code).toBe('server-invalid');
    expect(message).toContain('how many layers and experts');
    expect(remedy).toContain('config.json');
  });

  it('continues a text, and says nothing about the last token', async () => {
    const { engine } = await connect(sglang({ version: '0.6.0' }));
    const trace = await engine.generate({ text: 'the geese fly', maxTokens: 4 });
    const ran = run('the geese fly', 4);
    expect(chosen(trace).map((rows) => rows.slice(0, -1))).toEqual(byModule(ran.chosen));
    expect(chosen(trace)[0]!.at(-1)).toEqual([-1, -1]);
    expect(trace.sequences[0]!.text).toBe(`the geese fly${ran.more}`);
  });

  it.each(['sglext', 'sgl_ext'] as const)('routes through OpenAI’s API alone, with %s', async (at) => {
    for (const version of ['0.6.0', '0.5.23']) {
      const { engine } = await connect(sglang({ version, at, parts: version === '0.6.0' }), { config });
      const trace = await engine.route({ text: knownText });
      expect(chosen(trace)).toEqual(byModule(run(knownText, 1).chosen));
      expect([...trace.sequences[0]!.tokens.ids!]).toEqual(run(knownText, 1).prompt);
      expect(trace.sequences[0]!.tokens.start).toBeUndefined();
    }
  });

  it('that does not return experts: the error says how to start it', async () => {
    const { engine } = await connect(sglang({ version: '0.6.0', routed: false }));
    expect(await refusal(engine.route({ text: knownText }))).toMatchObject({
      code: 'server-unrouted',
      remedy: 'Start it with --enable-return-routed-experts.',
    });
  });

  it('whose numbers do not fit its description of them is refused', async () => {
    const about = {
      dtype: 'int32',
      layout: 'row_major',
      id_space: 'logical_global',
      num_layers: 1,
      top_k: 2,
      moe_layer_ids: [0],
      input_num_rows: 1,
      output_num_rows: 1,
      input_start_position: 0,
      output_start_position: 1,
    };
    const meta = {
      input_token_logprobs: [
        [null, 1, 'a'],
        [-1, 2, 'b'],
      ],
      output_token_logprobs: [[-1, 3, 'c']],
      input_expert_ids: int32([0, 1]),
      output_expert_ids: int32([2, 3]),
    };
    const spoilt: [object, RegExp][] = [
      [{ expert_ids_schema: { ...about, input_num_rows: 2 } }, /do not follow each other/],
      [{ expert_ids_schema: about, input_expert_ids: int32([0]) }, /3 expert ids/],
      [{ expert_ids_schema: about, input_expert_ids: 'AAA=' }, /not int32/],
      [{ expert_ids_schema: { ...about, moe_layer_ids: [7] } }, /not of its layers/],
      [{ expert_ids_schema: { ...about, dtype: 'int64' } }, /not as its own documentation/],
      [{ expert_ids_schema: about, input_expert_ids: int32([0, 70000]) }, /expert 70000/],
      [{ expert_ids_schema: about, output_token_logprobs: [] }, /1 tokens were run/],
    ];
    for (const [change, wanted] of spoilt) {
      const answer = { text: 'c', meta_info: { ...meta, ...change } };
      const { engine } = await connect(
        atRun(sglang({ version: '0.6.0' }), (_, response) => json(response, answer), '/generate'),
      );
      const { code, message } = await refusal(engine.route({ text: 'ab' }));
      expect([code, message]).toEqual(['server-invalid', expect.stringMatching(wanted)]);
    }
  });
});
