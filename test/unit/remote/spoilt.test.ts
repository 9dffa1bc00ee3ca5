/** Good answers with bytes changed, cut or doubled: each gives a complete trace, or one error that blames the server. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { remoteEngine } from '../../../src/remote/index.js';
import { GanderError } from '../../../src/errors/errors.js';
import { random } from '../../../src/statistics/random.js';
import { decodeTrace, encodeTrace } from '../../../src/trace/file/file.js';
import { atRun } from '../../servers/hostile.js';
import { type Handler, listen } from '../../servers/http.js';
import { knownText } from '../../servers/model.js';
import { ganderServe } from '../../servers/serve.js';
import { sglang } from '../../servers/sglang.js';
import { knowing, vllm } from '../../servers/vllm.js';
import { connect } from './support.js';

knowing(knownText);
const fixture = readFileSync(path.resolve(import.meta.dirname, '../../fixtures/imports/typescript.gander.safetensors'));
const imported = decodeTrace(fixture);
const traced = (text: string) => ({ ...imported, sequences: [{ ...imported.sequences[0]!, text }] });

const servers: readonly [string, Handler, string][] = [
  ['vLLM 0.21', vllm({ version: '0.21.0' }), '/v1/completions'],
  ['vLLM 0.22', vllm({ version: '0.22.1' }), '/v1/completions'],
  ['the places of vLLM', vllm({ version: '0.22.1' }), '/v1/completions/render'],
  ['SGLang', sglang({ version: '0.6.0' }), '/generate'],
  ['gander-serve', ganderServe({ trace: traced }), '/v1/route'],
  ['the description of gander-serve', ganderServe({ trace: traced }), '/v1/info'],
];

/** Codes that blame the server. `request-invalid`: it does not know the ids that its own corrupted answer gave for the text. */
const honest = [
  ...['server-invalid', 'server-unreachable', 'server-unknown', 'server-unrouted'],
  ...['text-too-long', 'request-invalid'],
];

const cases = 80;

describe.each(servers)('%s, corrupted', (_, good, where) => {
  it('gives a trace or an error', async () => {
    const { bytes, type } = await answerOf(good, where);
    const next = random(7);
    let spoilt = bytes;
    const { address } = await connect(
      atRun(
        good,
        (__, response) => {
          response.writeHead(200, { 'content-type': type });
          response.end(spoilt);
        },
        where,
      ),
    );
    const codes = new Set<string>();
    for (let i = 0; i < cases; i++) {
      spoilt = spoil(bytes, next);
      const engine = remoteEngine({ pool: address, server: { patienceMs: 5000 } });
      try {
        const trace = await engine.route({ text: knownText });
        expect(decodeTrace(encodeTrace(trace)).sequences[0]!.text).toBe(knownText);
        codes.add('trace');
      } catch (thrown) {
        if (!(thrown instanceof GanderError)) throw thrown;
        codes.add(thrown.code);
        expect(honest, thrown.message).toContain(thrown.code);
      } finally {
        engine.dispose();
      }
    }
    // Something was really corrupted.
    expect(codes.size).toBeGreaterThan(1);
  });
});

/** The whole answer that the client gets. */
async function answerOf(good: Handler, where: string): Promise<{ readonly bytes: Buffer; readonly type: string }> {
  const { engine, asked } = await connect(good);
  await engine.route({ text: knownText });
  const { headers, body, method } = asked.find(({ path: asking }) => asking === where)!;
  const server = await listen(good);
  try {
    const answer = await fetch(`${server.address}${where}`, {
      method,
      headers: { accept: headers.accept!, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { bytes: Buffer.from(await answer.arrayBuffer()), type: answer.headers.get('content-type')! };
  } finally {
    await server.close();
  }
}

function spoil(bytes: Buffer, next: () => number): Buffer {
  const at = Math.floor(next() * bytes.length);
  const length = 1 + Math.floor(next() * 20);
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
  switch (Math.floor(next() * 5)) {
    case 0:
      return before;
    case 1:
      return Buffer.concat([before, after]);
    case 2:
      return Buffer.concat([before, part, part, after]);
    case 3:
      return Buffer.concat([before, Buffer.from(part.map(() => 48 + Math.floor(next() * 10))), after]);
    default:
      return Buffer.concat([before, Buffer.from(part.map((byte) => byte ^ (1 << Math.floor(next() * 8)))), after]);
  }
}
