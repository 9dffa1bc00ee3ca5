import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeTrace, encodeTrace } from '../../../src/trace/file/file.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { atRun, drips } from '../../servers/hostile.js';
import { type Handler, json } from '../../servers/http.js';
import { frame, framesType, ganderServe } from '../../servers/serve.js';
import { chosen, connect, refusal } from './support.js';

const fixture = readFileSync(path.resolve(import.meta.dirname, '../../fixtures/imports/typescript.gander.safetensors'));
const imported = decodeTrace(fixture);
/** The same trace for any text. */
const trace = (text: string): Trace => ({
  ...imported,
  source: { kind: 'server', name: 'tiny-mixtral', versions: {} },
  sequences: [{ ...imported.sequences[0]!, text }],
});
const good = ganderServe({ trace });

describe('gander-serve', () => {
  it('says what its model is and can do', async () => {
    const { info } = await connect(good);
    const said = await info();
    expect(said).toMatchObject({
      engine: 'gander-serve',
      name: 'tiny-mixtral',
      limits: { tokens: 256 },
      versions: { 'gander-serve': '0.1.0' },
    });
    expect(said.warnings.map(({ text }) => text)).toEqual(['The model runs in bfloat16.']);
    expect(said.can).toMatchObject({ route: true, stream: true, generate: true, whatIf: true, attribute: true });
    expect(said.can.score).toBe(true);
    expect(said.can.target).toBeUndefined();
    expect(said.can.similarity).toMatchObject({ reason: expect.stringContaining('on the server') as string });
    expect(said.experts).toHaveLength(16);
    expect(said.modules).toHaveLength(2);
  });

  it('does not recommend itself when it refuses a request', async () => {
    const { engine } = await connect(good);
    const said = await refusal(engine.lens({ text: 'the goose', token: 1 }));
    expect(said).toMatchObject({ code: 'request-invalid', remedy: 'Use a model on this machine.' });
  });

  it.each([true, false])('routes, and gets the whole request (in frames: %s)', async (streams) => {
    const { engine, asked } = await connect(ganderServe({ trace, streams }));
    const partial: number[] = [];
    const progress: number[][] = [];
    const interventions = [{ action: 'knock-out', expert: '0.1', scope: { layer: 0 } }] as const;
    const routed = await engine.route(
      { text: 'the goose', interventions },
      { onPartial: (one) => partial.push(one.sequences[0]!.done), onProgress: (...now) => progress.push(now) },
    );
    expect(chosen(routed)).toEqual(chosen(imported));
    expect(asked.at(-1)!.body).toEqual({ text: 'the goose', interventions });
    expect([partial, progress]).toEqual(streams ? [[9], [[9, 18]]] : [[], []]);
  });

  it.each([true, false])('generates and attributes (in frames: %s)', async (streams) => {
    const { engine, asked } = await connect(ganderServe({ trace, streams }));
    await engine.generate({ text: 'the', maxTokens: 3, temperature: 0.5, seed: 1 });
    expect(asked.at(-1)).toMatchObject({ path: '/v1/generate', body: { maxTokens: 3, temperature: 0.5, seed: 1 } });
    const { experts, logProb, change } = await engine.attribute({ text: 'the', layer: 0, most: 1 });
    expect(asked.at(-1)).toMatchObject({ path: '/v1/attribute', body: { text: 'the', layer: 0, most: 1 } });
    expect(experts).toEqual([{ id: '0.1', name: 'Layer 0 expert 1' }]);
    expect([logProb[0], logProb[1], change[0], change[1]]).toEqual([NaN, -1, NaN, -0.5]);
  });

  it.each([true, false])('scores (in frames: %s)', async (streams) => {
    const { engine, asked } = await connect(ganderServe({ trace, streams }));
    const progress: number[][] = [];
    const request = { text: 'the', target: 'goose', strategy: { name: 'base' } } as const;
    const score = await engine.score(request, { onProgress: (...now) => progress.push(now) });
    expect(score).toEqual({ bits: 12.5, bytes: 9, tokens: 3 });
    expect(asked.at(-1)).toMatchObject({ path: '/v1/score', body: request });
    expect(progress).toEqual(streams ? [[3, 3]] : []);
  });

  it.each([
    [undefined, 'This version of gander-serve does not score.'],
    [false, 'The server does not do this with its model.'],
  ])('is not asked for scores if it says %s about them', async (scores, reason) => {
    const { engine, info, asked } = await connect(ganderServe({ trace, scores }));
    expect((await info()).can.score).toEqual({ reason });
    expect(await refusal(engine.score({ text: 'a' }))).toMatchObject({ code: 'request-invalid', message: reason });
    expect(asked.some(({ path: at }) => at === '/v1/score')).toBe(false);
  });

  it('gets the target if its model takes one', async () => {
    const { engine, info, asked } = await connect(ganderServe({ trace, target: true }));
    expect((await info()).can.target).toBe(true);
    await engine.route({ text: 'the goose', target: 'flies' });
    expect(asked.at(-1)!.body).toEqual({ text: 'the goose', target: 'flies' });
    await engine.generate({ text: 'the goose', target: 'flies', maxTokens: 2 });
    expect(asked.at(-1)!.body).toMatchObject({ target: 'flies', maxTokens: 2 });
  });

  it('offers only strategies that Gander knows', async () => {
    const { info } = await connect(ganderServe({ trace, strategies: ['phatgoose', 'single', 'astrology'] }));
    expect((await info()).can.strategies.map(({ name }) => name)).toEqual(['phatgoose', 'single']);
  });

  it('is asked in its own words, whatever these are called here', async () => {
    const { engine, info, asked } = await connect(ganderServe({ trace, strategies: ['learned'] }));
    expect((await info()).can.strategies.map(({ name }) => name)).toEqual(['jointly-trained']);
    await engine.route({
      text: 'the goose',
      strategy: { name: 'jointly-trained', k: 1 },
      interventions: [{ action: 'logit-bias', expert: '0.1', amount: 2, scope: {} }],
    });
    expect(asked.at(-1)!.body).toMatchObject({
      strategy: { name: 'learned', k: 1 },
      interventions: [{ action: 'tilt', expert: '0.1', amount: 2 }],
    });
  });
});

describe('a malicious server in its place', () => {
  const framed =
    (...frames: readonly Uint8Array[]): Handler =>
    (_, response) => {
      response.writeHead(200, { 'content-type': framesType });
      response.end(Buffer.concat(frames));
    };
  const huge = frame(3, {});
  huge.writeUInt32LE(0xffffffff, 4);
  const whole =
    (one: Trace): Handler =>
    (asked, response) =>
      ganderServe({ trace: () => one })(asked, response);
  const other = { ...trace('a'), modules: [...imported.modules].reverse() };

  const spoilt: readonly [string, Handler, string, RegExp][] = [
    ['frames that end too early', framed(frame(1, { done: 1, total: 2 })), 'server-unreachable', /broke off/],
    ['half a frame', framed(frame(3, fixture).subarray(0, 500)), 'server-unreachable', /broke off/],
    ['a frame of four gigabytes', framed(huge), 'server-invalid', /answers with more than \d+ MB/],
    ['a frame of an unknown kind', framed(frame(9, {})), 'server-invalid', /kind 9/],
    ['something that is not a trace', framed(frame(3, { modules: [] })), 'server-invalid', /its trace cannot be read/],
    ['a trace of another text', whole(trace('the duck')), 'server-invalid', /of another text/],
    ['invalid progress', framed(frame(1, { done: -1 })), 'server-invalid', /how far it is/],
    [
      'an error within the answer',
      framed(frame(4, { error: { code: 'internal', message: 'Out of memory.', remedy: 'x' } })),
      'server-failed',
      /Out of memory/,
    ],
    [
      'an error with a shared code',
      framed(frame(4, { error: { code: 'text-too-long', message: '300 tokens', remedy: 'x' } })),
      'text-too-long',
      /300 tokens/,
    ],
    [
      'an error with a code that would hide it',
      framed(frame(4, { error: { code: 'cancelled', message: 'Hush.', remedy: 'x' } })),
      'server-failed',
      /Hush/,
    ],
  ];
  it.each(spoilt)('%s: one error', async (_, handler, code, message) => {
    const { engine } = await connect(atRun(good, handler, '/v1/route'));
    const said = await refusal(engine.route({ text: 'the goose' }));
    expect([said.code, said.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it.each([
    ['a missing number', { bits: null, bytes: 1, tokens: 1 }],
    ['a fraction of a byte', { bits: 1, bytes: 0.5, tokens: 1 }],
    ['a negative count', { bits: 1, bytes: 1, tokens: -1 }],
    ['an impossible count', { bits: 1, bytes: 1e300, tokens: 1 }],
    ['another shape', [1, 2, 3]],
  ])('a score with %s is refused', async (_, said) => {
    const { engine } = await connect(atRun(good, (__, response) => json(response, said), '/v1/score'));
    expect((await refusal(engine.score({ text: 'a' }))).code).toBe('server-invalid');
  });

  const begun = Buffer.concat([frame(1, { done: 1, total: 9 }), frame(2, fixture).subarray(0, 500)]);
  it.each<[string, Handler]>([
    [
      'the same progress for ever',
      drips(frame(1, { done: 1, total: 9 }), frame(1, { done: 1, total: 9 }), 200, framesType),
    ],
    ['a frame that never ends', drips(begun, ' ', 200, framesType)],
    ['the same partial trace for ever', drips(frame(2, fixture), frame(2, fixture), 200, framesType)],
    ['a trace that arrives byte by byte', drips(fixture.subarray(0, 500), ' ', 200, 'application/vnd.gander.trace')],
  ])('%s: the client gives up', async (_, handler) => {
    const { engine, address } = await connect(atRun(good, handler, '/v1/route'), { patienceMs: 400 });
    expect(await refusal(engine.route({ text: 'the goose' }))).toMatchObject({
      code: 'server-unreachable',
      message: `${address} gave no answer in 0.4 seconds.`,
    });
  });

  it('a server that makes progress may take longer than one that does nothing', async () => {
    const slowly: Handler = async (asked, response) => {
      response.writeHead(200, { 'content-type': framesType });
      for (let done = 1; done <= 8; done++) {
        response.write(frame(1, { done, total: 8 }));
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      response.end(frame(3, encodeTrace(trace(asked.body!['text'] as string))));
    };
    const { engine } = await connect(atRun(good, slowly, '/v1/route'), { patienceMs: 3000 });
    expect((await engine.route({ text: 'the goose' })).sequences[0]!.text).toBe('the goose');
  });

  it('a log-probability above 0 is refused', async () => {
    const logProb = new Float32Array(imported.sequences[0]!.tokens.count).fill(0.5);
    const certain = { ...trace('the goose'), sequences: [{ ...trace('the goose').sequences[0]!, logProb }] };
    const { engine } = await connect(atRun(good, whole(certain), '/v1/route'));
    expect((await refusal(engine.route({ text: 'the goose' }))).message).toMatch(/a log-probability is above 0/);
  });

  it('a trace that changes its form while it grows is refused', async () => {
    const growing = framed(frame(2, encodeTrace(trace('the goose'))), frame(3, encodeTrace(other)));
    const { engine } = await connect(atRun(good, growing, '/v1/route'));
    const said = await refusal(engine.route({ text: 'the goose' }, { onPartial: () => undefined }));
    expect(said.message).toMatch(/changes its form while it grows/);
  });

  it.each([
    ['no description', { server: 'gander-serve' }],
    ['a future protocol', { protocol: 2 }],
    ['sites without experts', { expertSets: [] }],
    ['an endless name', { name: 'x'.repeat(1000) }],
  ])('%s is refused', async (_, change) => {
    const { engine } = await connect(async (asked, response) => {
      if (asked.path !== '/v1/info') return json(response, {}, 404);
      const about = await new Promise<object>((resolve) => {
        const end = (body: string) => resolve(JSON.parse(body) as object);
        void good(asked, { writeHead: () => undefined, end } as never);
      });
      return json(response, Object.keys(change).length === 1 && 'server' in change ? change : { ...about, ...change });
    });
    expect((await refusal(engine.info())).code).toBe('server-invalid');
  });
});
