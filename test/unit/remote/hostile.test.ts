/** What may answer in an engine's place: each ends with one error that says what to do, soon, and nothing is sent elsewhere. */
import { describe, expect, it } from 'vitest';
import { remoteEngine } from '../../../src/remote/index.js';
import { serverAddress } from '../../../src/source/serverAddress.js';
import {
  atRun,
  boasting,
  busy,
  disguisedPage,
  dripping,
  drips,
  elsewhere,
  endless,
  half,
  page,
  silent,
  upgrading,
} from '../../servers/hostile.js';
import { type Handler, json, listen } from '../../servers/http.js';
import { knownText, run } from '../../servers/model.js';
import { knowing, npy, vllm } from '../../servers/vllm.js';
import { connect, refusal } from './support.js';

knowing(knownText);
const good = vllm({ version: '0.22.1' });
const patienceMs = 400;

const handlers: readonly [string, Handler, string, RegExp][] = [
  ['bytes without end', endless, 'server-invalid', /answers with more than \d\.\d MB/],
  ['more bytes than are taken, by its own word', boasting, 'server-invalid', /answers with more than \d\.\d MB/],
  ['a web page', page, 'server-unknown', /answers with a web page/],
  ['a web page under another name', disguisedPage, 'server-unknown', /answers with a web page/],
  ['half an answer', half, 'server-unreachable', /broke off in the middle/],
  ['another protocol', upgrading, 'server-unreachable', /broke off in the middle/],
  ['silence', silent, 'server-unreachable', /gave no answer in 0\.4 seconds/],
  [
    'events without end',
    drips('', 'data: {}\n\n', 200, 'text/event-stream'),
    'server-unreachable',
    /gave no answer in/,
  ],
  ['a byte now and then', dripping, 'server-unreachable', /gave no answer in 0\.4 seconds/],
  [
    'a failure',
    (_, response) => json(response, { error: { message: 'CUDA\u001b[2J out of memory' } }, 500),
    'server-failed',
    /failed: CUDA·\[2J out of memory/,
  ],
  [
    'a failure of a long story',
    (_, response) => json(response, { message: 'x'.repeat(90_000) }, 500),
    'server-failed',
    /failed: status 500/,
  ],
  [
    'a refusal',
    (_, response) => json(response, { error: { message: 'temperature must be positive' } }, 400),
    'request-invalid',
    /refuses the request: temperature/,
  ],
  [
    'that the text is too long',
    (_, response) => json(response, { error: { message: "This model's maximum context length is 8 tokens" } }, 400),
    'text-too-long',
    /maximum context length/,
  ],
  ['no JSON', (_, response) => response.writeHead(200).end('{"choices":'), 'server-invalid', /no JSON/],
  [
    'bytes that are no text',
    (_, response) => response.writeHead(200).end(Buffer.from([0xff, 0xfe])),
    'server-invalid',
    /no JSON/,
  ],
  ['something else', (_, response) => json(response, { choices: [] }), 'server-invalid', /"choices" must/],
  ['a connection that is closed', (_, response) => response.destroy(), 'server-unreachable', /cannot be reached/],
];

/** A server that begins its answer with a status, and then sends a byte now and then. */
const begun: readonly [number, string, RegExp][] = [
  [500, 'server-failed', /failed: status 500/],
  [400, 'request-invalid', /refuses the request: status 400/],
  [302, 'server-invalid', /sends requests on to elsewhere/],
  [503, 'server-busy', /is busy: status 503/],
];

async function isOneError(handler: Handler, patienceMs: number, code: string, message: RegExp): Promise<void> {
  const { engine } = await connect(atRun(good, handler), { patienceMs });
  const said = await refusal(engine.route({ text: knownText }));
  expect([said.code, said.message]).toEqual([code, expect.stringMatching(message)]);
  expect(said.remedy).toMatch(/^\S.*\.$/);
  expect(`${said.message}${said.remedy}`).not.toContain('\n');
  // And the next request is sent as if nothing had happened.
  expect((await refusal(engine.route({ text: knownText }))).code).toBe(code);
}

describe('to a run', () => {
  it.each(handlers)('%s is one error', async (_, handler, code, message) => {
    // Only the tests that wait for it have little patience: on a busy machine the others take a while.
    await isOneError(handler, message.source.includes('gave no answer') ? patienceMs : 30_000, code, message);
  });

  it('a status whose body drips is one error', async () => {
    // At the same time, because each takes all of its patience.
    await Promise.all(begun.map(([status, code, message]) => isOneError(drips('{', ' ', status), 2000, code, message)));
  });
});

const ran = run(knownText, 1);
const completing = (change: object): Handler =>
  atRun(good, (_, response) =>
    json(response, {
      choices: [
        {
          text: '',
          token_ids: ran.written,
          prompt_token_ids: ran.prompt,
          prompt_logprobs: null,
          logprobs: null,
          ...change,
        },
      ],
    }),
  );

describe('what a server finds at an address', () => {
  it.each(['/v1/info', '/v1/models'])('that drips a 404 at %s is given up', async (path) => {
    const { engine, address } = await connect(atRun(good, drips('{', ' ', 404), path), { patienceMs });
    // vLLM has no /v1/info, and is found without.
    if (path === '/v1/info') expect(await engine.info()).toMatchObject({ name: 'tiny-mixtral' });
    else expect((await refusal(engine.info())).message).toContain(address);
  });
});

describe('an answer of more than was asked for', () => {
  const entry = { 5: { logprob: -1, rank: 1, decoded_token: 'a' } };
  it.each<[string, object, RegExp]>([
    [
      'log-probabilities of more tokens',
      { prompt_logprobs: new Array(17).fill(null) },
      /more tokens than were asked for/,
    ],
    ['more tokens', { prompt_token_ids: [...ran.prompt, 1, 2] }, /more tokens than were asked for/],
    ['more tokens written', { token_ids: [1, 2, 3] }, /more tokens than were asked for/],
    [
      'a hundred thousand entries for a token',
      {
        prompt_logprobs: [Object.fromEntries(Array.from({ length: 100_000 }, (_, id) => [id, entry[5]]))],
      },
      /holds far more than was asked for|answers with more than/,
    ],
    [
      'a hundred thousand other members',
      { usage: Object.fromEntries(Array.from({ length: 100_000 }, (_, id) => [`k${id}`, 0])) },
      /holds far more than was asked for/,
    ],
  ])('%s is refused before it is walked', async (_, change, message) => {
    const { engine } = await connect(completing(change));
    const said = await refusal(engine.route({ text: knownText }));
    expect([said.code, said.message]).toEqual(['server-invalid', expect.stringMatching(message)]);
  });

  it.each([1e-6, 3])('a log-probability of %d is refused', async (logprob) => {
    const { engine } = await connect(completing({ prompt_logprobs: [null, { 5: { logprob } }] }));
    expect(await refusal(engine.route({ text: knownText }))).toMatchObject({
      code: 'server-invalid',
      message: expect.stringMatching(/logprob/) as string,
    });
  });
});

describe('routed experts', () => {
  const answering = (routed: unknown) => completing({ routed_experts: routed });
  const numbers = (fill: number) => new Array<number>(16 * 2 * 2).fill(fill);
  const spoilt: readonly [string, unknown, RegExp][] = [
    [
      'of another number of tokens',
      npy(numbers(0), 16, '|u1', [8, 4, 2]),
      /it has 8 rows of routed experts, and 16 tokens were run/,
    ],
    ['of two axes', npy(numbers(0), 16, '|u1', [16, 4]), /its routed experts have the shape \(16, 4\)/],
    ['that are not all there', npy(numbers(0), 16, '|u1', [16, 2, 9]), /does not fill its 64 bytes/],
    ['of a shape that overflows', npy([], 0, '|u1', [2 ** 32, 2 ** 32, 2]), /does not fill its 0 bytes/],
    ['with no expert at all', npy([], 0, '|u1', [16, 2, 0]), /its shape is \(16, 2, 0\)/],
    ['out of range', npy([...numbers(0).slice(1), 70_000], 16, '<i4'), /it names an expert 70000/],
    ['below range', npy([...numbers(0).slice(1), -7], 16, '<i4'), /it names an expert -7/],
    ['where none chose', npy(numbers(0), 16, '|u1'), /it has no choices/],
    ['that are no .npy', 'bm90IG51bXB5', /does not begin like a \.npy file/],
    ['that are no base64', '\u{1F4A9}', /does not begin like a \.npy file/],
  ];
  it.each(spoilt)('%s are refused', async (_, routed, message) => {
    const { engine } = await connect(answering(routed));
    const said = await refusal(engine.route({ text: knownText }));
    expect([said.code, said.message]).toEqual(['server-invalid', expect.stringMatching(message)]);
    expect(said.message).not.toContain('file cannot be imported');
  });
});

describe('a server that sends requests on', () => {
  it('is not followed: neither text nor token goes where nobody chose', async () => {
    const other = await listen((_, response) => json(response, {}));
    for (const handler of [
      elsewhere(`${other.address}/v1/completions`),
      elsewhere('//127.0.0.1:9/'),
      elsewhere('/login'),
    ]) {
      const { engine } = await connect(atRun(good, handler), { token: 'secret' });
      const { code, message, remedy } = await refusal(engine.route({ text: knownText }));
      expect(code).toBe('server-invalid');
      expect(message).toMatch(/sends requests on to \S+; nothing was sent there\.$/);
      expect(remedy).toBe('Connect to that address itself, if you trust it.');
    }
    expect(other.asked).toEqual([]);
    await other.close();
  });
});

describe('a server that is busy', () => {
  it.each([429, 503])('is asked again, with status %d', async (status) => {
    const { engine, asked } = await connect(atRun(good, busy(3, good, status)));
    expect((await engine.route({ text: knownText })).modules).toHaveLength(2);
    expect(asked.filter(({ path }) => path === '/v1/completions')).toHaveLength(4);
  });

  it('for ever is given up, in one line', async () => {
    const { engine } = await connect(atRun(good, busy(Infinity, good)));
    expect(await refusal(engine.route({ text: knownText }))).toMatchObject({
      code: 'server-busy',
      message: expect.stringMatching(/is busy: Too many requests\.$/) as string,
      remedy: 'Ask again later.',
    });
  });

  it('can be given up while it is waited for', async () => {
    const late: Handler = (_, response) => json(response, {}, 429, { 'retry-after': '20' });
    const { engine, asked } = await connect(atRun(good, late));
    const stop = new AbortController();
    const asking = engine.route({ text: knownText }, { signal: stop.signal });
    await expect.poll(() => asked.some(({ path }) => path === '/v1/completions')).toBe(true);
    stop.abort();
    expect((await refusal(asking)).code).toBe('cancelled');
  });
});

describe('many requests', () => {
  it('go out a few at a time, and all are answered', async () => {
    let open = () => {};
    const four = new Promise<void>((resolve) => (open = resolve));
    let waiting = 0;
    const together: Handler = async (asked, response) => {
      if (++waiting === 4) open();
      await four;
      await good(asked, response);
    };
    const { engine, most } = await connect(atRun(good, together));
    const texts = Array.from({ length: 40 }, (_, i) => `goose ${i}`);
    texts.forEach(knowing);
    const traces = await Promise.all(texts.map((text) => engine.route({ text })));
    expect(traces.map(({ sequences }) => sequences[0]!.text)).toEqual(texts);
    expect(most()).toBe(4);
  });

  it('that are stopped hang up, and leave their place to others', async () => {
    let closed = 0;
    const waiting: Handler = (_, response) => response.on('close', () => closed++);
    const { engine, asked } = await connect(atRun(good, waiting));
    const stop = new AbortController();
    const asking = Array.from({ length: 8 }, () => refusal(engine.route({ text: knownText }, { signal: stop.signal })));
    await expect.poll(() => asked.filter(({ path }) => path === '/v1/completions').length).toBe(4);
    stop.abort();
    expect((await Promise.all(asking)).map(({ code }) => code)).toEqual(new Array(8).fill('cancelled'));
    await expect.poll(() => closed).toBe(4);
  });
});

describe('a token', () => {
  const guarded = vllm({ version: '0.22.1', token: 'right' });
  it('is asked for, and the wrong one is told from none', async () => {
    const none = await connect(guarded);
    expect(await refusal(none.engine.info())).toMatchObject({
      code: 'server-refused',
      message: expect.stringMatching(/asks for a token\.$/) as string,
    });
    const wrong = await connect(guarded, { token: 'wrong' });
    const said = await refusal(wrong.engine.info());
    expect(said).toMatchObject({
      code: 'server-refused',
      message: expect.stringMatching(/refuses the token\.$/) as string,
    });
    expect(JSON.stringify(said)).not.toContain('wrong');
    const right = await connect(guarded, { token: 'right' });
    expect((await right.engine.route({ text: knownText })).modules).toHaveLength(2);
  });

  it.each<[string, (token: string) => Handler]>([
    ['a failure', (token) => (_, response) => json(response, { message: `Who is ${token}?` }, 500)],
    ['a long failure', (token) => (_, response) => json(response, { message: `${'x'.repeat(295)}${token}` }, 500)],
    ['a refusal', (token) => (_, response) => json(response, { error: { message: token, remedy: token } }, 400)],
    [
      'a redirect',
      (token) => (_, response) => response.writeHead(302, { location: `/?t=${encodeURIComponent(token)}` }).end(),
    ],
    ['a name of what it tells', (token) => (_, response) => json(response, { choices: [{ [token]: 1, text: token }] })],
  ])('that a server quotes in %s is not shown', async (_, quoting) => {
    const token = 'sesame+open/9=';
    const { engine } = await connect(atRun(good, quoting(token)), { token });
    const said = JSON.stringify(await refusal(engine.route({ text: knownText })));
    expect(said).not.toMatch(/sesame|9%3D/);
  });

  it('that a server gives for its model’s name is not shown', async () => {
    const { info } = await connect(
      (_, response) => json(response, { data: [{ id: 'a sesame model', owned_by: 'vllm' }] }),
      { token: 'sesame' },
    );
    expect((await info()).name).toBe('a [token] model');
  });

  it('that no header can hold is not shown either', async () => {
    const { engine, asked } = await connect(guarded, { token: 'line\nbreak' });
    const said = await refusal(engine.info());
    expect(said.code).toBe('server-refused');
    expect(JSON.stringify(said)).not.toContain('break"');
    expect(asked).toEqual([]);
  });
});

describe('an address', () => {
  it.each([
    ['127.0.0.1:8000', 'http://127.0.0.1:8000'],
    ['http://Host:8000/', 'http://host:8000'],
    ['https://host/v1/', 'https://host'],
    ['https://host/team/v1', 'https://host/team'],
  ])('%s is %s', (typed, address) => {
    expect(serverAddress(typed)).toBe(address);
  });

  it.each(['', 'ftp://host', 'file:///etc/passwd', 'http://me:secret@host', 'http://host/?token=secret', 'http://'])(
    '%j is refused, and no secret in it is shown',
    async (typed) => {
      const said = await refusal(Promise.resolve().then(() => remoteEngine({ pool: typed }).info()));
      expect(said.code).toBe('request-invalid');
      expect(said.message).not.toContain('me:secret');
    },
  );

  it('where nothing listens is said to be that', async () => {
    const gone = await listen(() => undefined);
    await gone.close();
    expect(await refusal(remoteEngine({ pool: gone.address }).info())).toMatchObject({
      code: 'server-unreachable',
      message: `${gone.address} cannot be reached: ECONNREFUSED.`,
    });
  });

  it('of a server of another kind is said to be that', async () => {
    const { engine } = await connect((_, response) => json(response, { data: [{ id: 'gpt', owned_by: 'llamacpp' }] }));
    expect((await refusal(engine.info())).code).toBe('server-unknown');
  });
});
