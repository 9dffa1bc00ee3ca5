// Checks what the client makes of a real vLLM's answers. Not part of `npm test`, because it needs a server.
//
//   npm run build && node test/servers/real.mjs http://127.0.0.1:8000
//
// A server that returns experts is used as it is. One that does not (vLLM on a CPU) must be refused for that reason; then
// everything else is checked through a proxy that adds made-up experts to its answers: tokens, their places with and
// without /v1/completions/render, log-probabilities, generation.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import path from 'node:path';

const cli = path.resolve(import.meta.dirname, '../../dist/cli.cjs');
const [address] = process.argv.slice(2);
if (address === undefined) throw new Error('give the address of a vLLM');
const text = 'def add(a, b): 🪿 ok é\n';

/** @typedef {{ id: number, start: number, end: number, special: boolean, logProb: number, next: unknown[] }} Token */
/** @typedef {{ text: string, completion: string, tokens: Token[], engine: string, versions?: { vllm?: string } }} Said */

/** @param {string[]} args @returns {Promise<Said & { error?: { code: string, message: string } }>} */
async function gander(...args) {
  const ended = await new Promise((/** @type {(out: string) => void} */ resolve) => {
    execFile(process.execPath, [cli, ...args, '--json'], { maxBuffer: 1 << 28 }, (_, out, error) =>
      resolve(out || error),
    );
  });
  return JSON.parse(ended);
}

/** @param {boolean} holds @param {string} what */
function check(holds, what) {
  console.log(`${holds ? 'ok  ' : 'NOT '} ${what}`);
  if (!holds) process.exitCode = 1;
}

/** @param {number} rows base64 of a .npy of (rows, 2, 2) */
function experts(rows) {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${rows}, 2, 2), }`;
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  const data = Uint8Array.from({ length: rows * 4 }, (_, i) => (i % 2 === 0 ? (i >> 1) % 8 : ((i >> 1) + 1) % 8));
  return Buffer.concat([start, Buffer.from(padded), Buffer.from(data)]).toString('base64');
}

/**
 * @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response
 * @param {boolean} closed
 */
async function pass(request, response, closed) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = parts.length > 0 ? { method: 'POST', body: Buffer.concat(parts) } : {};
  const answer = await fetch(`${address}${request.url}`, { ...body, headers: { 'content-type': 'application/json' } });
  let said = await answer.text();
  if (request.url === '/v1/completions' && answer.ok) {
    /** @type {{ choices: { prompt_token_ids: number[], token_ids: number[], routed_experts: string }[] }} */
    const whole = JSON.parse(said);
    for (const choice of whole.choices)
      choice.routed_experts = experts(choice.prompt_token_ids.length + choice.token_ids.length - 1);
    said = JSON.stringify(whole);
  }
  const isClosed = closed && request.url?.endsWith('/render') === true;
  response.writeHead(isClosed ? 403 : answer.status, { 'content-type': 'application/json' });
  response.end(isClosed ? '{"error":{"message":"closed"}}' : said);
}

/** @param {boolean} closed whether /v1/completions/render is hidden from the client */
async function proxy(closed) {
  const server = createServer((request, response) => void pass(request, response, closed));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { at: `http://127.0.0.1:${port}`, close: () => server.close() };
}

/** @param {{ tokens: Token[] }} routed */
const places = ({ tokens }) => JSON.stringify(tokens.map(({ id, start, end, special }) => [id, start, end, special]));

const facts = await gander('inspect', '--engine', address);
check(facts.engine === 'vllm', `it is vLLM (${facts.versions?.vllm ?? facts.error?.message})`);
const plain = await gander('route', text, '--engine', address);
check(
  plain.error === undefined || plain.error.code === 'server-unrouted',
  plain.error ? `without experts it is refused: ${plain.error.message}` : `it routes: ${plain.tokens.length} tokens`,
);
const [open, shut] = [await proxy(false), await proxy(true)];
try {
  const [rendered, spelled] = [
    await gander('route', text, '--engine', open.at),
    await gander('route', text, '--engine', shut.at),
  ];
  check(rendered.text === text && spelled.text === text, 'the text is the one that was sent');
  check(places(rendered) === places(spelled), 'places by /render and by spelling are the same');
  const { tokens } = rendered;
  const own = tokens.filter(({ special }) => !special);
  check(own[0]?.start === 0 && own.at(-1)?.end === text.length, 'its tokens cover the text');
  check(
    tokens.slice(1).every(({ logProb }) => logProb < 0),
    'each token but the first has a log-probability',
  );
  check(tokens[0]?.next.length === 5, 'the likeliest next tokens are there');
  const written = await gander('generate', text, '-n', '4', '--engine', open.at);
  check(written.tokens.length >= tokens.length + 1, `it continues: ${JSON.stringify(written.completion)}`);
  const long = await gander('route', text.repeat(100_000 / text.length), '--engine', open.at);
  check(
    long.error === undefined || long.error.code === 'text-too-long',
    `a long text: ${long.error?.message ?? 'fits'}`,
  );
} finally {
  open.close();
  shut.close();
}
