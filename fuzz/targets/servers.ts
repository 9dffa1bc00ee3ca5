/** A server, which may answer anything in any way. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { decodeTrace } from '../../src/trace/file/file.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Handler } from '../../test/servers/http.js';
import { knownText } from '../../test/servers/model.js';
import { ganderServe } from '../../test/servers/serve.js';
import { sglang } from '../../test/servers/sglang.js';
import { knowing, vllm } from '../../test/servers/vllm.js';
import type { Asking } from '../reading.js';
import { manners, saidBy, spoiltContent } from '../spoil/answers.js';
import type { ServerTarget } from './target.js';

knowing(knownText);

interface Good {
  readonly name: string;
  readonly handler: Handler;
  /** Paths that are requested before a run. */
  readonly before: readonly string[];
  readonly run: (method: Asking['method']) => string;
  readonly methods: readonly Asking['method'][];
}

const found = ['/v1/info', '/v1/models'];

function ofVllm(name: string, options: Parameters<typeof vllm>[0]): Good {
  return {
    name,
    handler: vllm(options),
    before: [...found, '/version', '/v1/completions/render'],
    run: () => '/v1/completions',
    methods: ['route', 'generate'],
  };
}

function ofSglang(name: string, options: Parameters<typeof sglang>[0]): Good {
  return {
    name,
    handler: sglang(options),
    before: [...found, '/server_info'],
    run: () => (options.at === undefined || options.at === 'own' ? '/generate' : '/v1/completions'),
    methods: ['route', 'generate'],
  };
}

function ofServe(name: string, trace: Trace, streams: boolean): Good {
  const [first, ...others] = trace.sequences;
  const traced = (text: string) => ({ ...trace, sequences: [{ ...first!, text }, ...others] });
  return {
    name,
    handler: ganderServe({ trace: traced, streams, target: others.length > 0 }),
    before: ['/v1/info'],
    run: (method) => `/v1/${method}`,
    methods: ['route', 'generate', 'attribute', 'score'],
  };
}

function goods(folder: string): Good[] {
  const trace = (name: string) => decodeTrace(readFileSync(path.join(folder, name)));
  const one = trace('imports/typescript.gander.safetensors');
  const pair = trace('golden/tiny-t5/phatgoose-k2.safetensors');
  return [
    ofVllm('vLLM 0.21', { version: '0.21.0', cached: 2 }),
    ofVllm('vLLM 0.22', { version: '0.22.1' }),
    ofVllm('vLLM of int32, without places', { version: '0.32.0', dtype: '<i4', render: 'closed' }),
    ofSglang('SGLang', { version: '0.6.0' }),
    ofSglang('SGLang, older', { version: '0.5.0', parts: false }),
    ofSglang('SGLang as OpenAI', { version: '0.6.0', at: 'sglext' }),
    ofServe('gander-serve in frames', one, true),
    ofServe('gander-serve', one, false),
    ofServe('gander-serve of an encoder-decoder', pair, true),
  ];
}

export const servers: ServerTarget = {
  name: 'servers',
  runner: 'server',
  begins: 'servers',
  answer: (folder, random, elsewhere) => {
    const good = random.pick(goods(folder));
    const method = random.pick(good.methods);
    // Usually the run itself, whose answer has the most content.
    const at = random.chance(0.7) ? good.run(method) : random.pick(good.before);
    const ways = manners(random);
    const manner = random.chance(0.4) ? random.pick(Object.keys(ways)) : undefined;
    let how = manner ?? 'not asked';
    return {
      how: () => `${good.name}, ${method}, ${at}: ${how}`,
      handle: async (asked, response) => {
        if (asked.path !== at) return good.handler(asked, response);
        const said = await saidBy(good.handler, asked);
        if (manner !== undefined) return ways[manner]!(said, response, elsewhere);
        const spoilt = spoiltContent(said, random);
        how = spoilt.how;
        return response.writeHead(said.status, said.headers).end(spoilt.bytes);
      },
      asking: { method, request: { text: knownText, maxTokens: 3 } },
    };
  },
};
