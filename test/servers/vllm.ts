/** Several versions of vLLM, according to the sources in README.md. */
import { experts, insteadOf, k, layers, logProbOf, run, type Run, spell } from './model.js';
import { type Handler, json, notFound } from './http.js';

export interface VllmOptions {
  readonly version: string;
  /** Started with --enable-return-routed-experts. Default: yes. */
  readonly routed?: boolean;
  /** Type of the numbers in its .npy. */
  readonly dtype?: '|u1' | '<u2' | '<i4';
  /** In 0.21: how many tokens at the beginning came from the prefix cache. */
  readonly cached?: number;
  readonly token?: string;
  readonly maxModelLen?: number;
  /** Whether /render is there, and whether it gives offsets. */
  readonly render?: 'offsets' | 'ids' | 'closed' | 'absent';
}

/** What 0.32 answers without --enable-scale-out. */
const closed = {
  error: {
    message: 'Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out to enable them.',
    type: 'PermissionDeniedError',
    param: null,
    code: 403,
  },
};

export const modelName = 'tiny-mixtral';

export function vllm(options: VllmOptions): Handler {
  const { version, token, maxModelLen = 256, render = 'offsets' } = options;
  return ({ path, headers, body = {} }, response) => {
    if (path === '/version') return json(response, { version });
    // Only paths under /v1 need the key.
    if (token !== undefined && headers.authorization !== `Bearer ${token}`)
      return json(response, { error: 'Unauthorized' }, 401);
    switch (path) {
      case '/v1/models':
        return json(response, {
          object: 'list',
          data: [{ id: modelName, object: 'model', owned_by: 'vllm', root: modelName, max_model_len: maxModelLen }],
        });
      case '/v1/completions/render': {
        if (render === 'absent') return notFound(response);
        if (render === 'closed') return json(response, closed, 403);
        const { prompt, offsets } = run(body['prompt'] as string, 1);
        const asked = body['return_token_offsets'] === true && render === 'offsets';
        return json(response, [
          {
            request_id: 'cmpl-1',
            token_ids: prompt,
            token_offsets: asked ? offsets : null,
            model: modelName,
            sampling_params: { max_tokens: 16 },
            features: null,
          },
        ]);
      }
      case '/v1/completions':
        return textOf(body) === undefined
          ? json(response, { error: { message: 'ids of a text that no test has made known' } }, 400)
          : json(response, completion(options, body));
      default:
        return notFound(response);
    }
  };
}

/** Texts by their ids, because a request may contain only ids. */
const texts = new Map<string, string>();

/** The last token with a byte of a character is spelled as the whole character, those before as nothing. */
function decodedAt(spelled: readonly string[], t: number): string {
  if (spelled[t] !== '\ufffd') return spelled[t]!;
  return spelled[t + 1] === '\ufffd' ? '' : '🪿';
}

/** Makes a text known, for requests that contain only its ids. */
export function knowing(text: string): void {
  texts.set(run(text, 1).prompt.join(), text);
}

function textOf({ prompt }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof prompt === 'string' ? prompt : texts.get((prompt as number[]).join());
}

function completion(
  { version, routed = true, dtype = '|u1', cached = 0 }: VllmOptions,
  body: Readonly<Record<string, unknown>>,
): object {
  const ran = run(textOf(body)!, body['max_tokens'] as number);
  const old = version.startsWith('0.21');
  const { prompt, written, chosen } = ran;
  const rows = chosen.map((row, t) => (t < cached ? row.map((cell) => cell.map(() => -1)) : row));
  return {
    id: 'cmpl-1',
    object: 'text_completion',
    created: 0,
    model: modelName,
    choices: [
      {
        index: 0,
        text: ran.more,
        logprobs: {
          text_offset: [],
          token_logprobs: written.map(logProbOf),
          tokens: ran.spelled.slice(prompt.length),
          top_logprobs: written.map((id) => ({ [spell(id)]: logProbOf(id) })),
        },
        finish_reason: 'length',
        stop_reason: null,
        token_ids: body['return_token_ids'] ? written : null,
        prompt_token_ids: body['return_token_ids'] ? prompt : null,
        prompt_logprobs: promptLogProbs(ran, body['prompt_logprobs'] as number),
        routed_experts: !routed ? null : old ? rows.slice(prompt.length) : npy(chosen.flat(2), chosen.length, dtype),
      },
    ],
    ...(old && { prompt_routed_experts: routed ? rows.slice(0, prompt.length) : null }),
    usage: {
      prompt_tokens: prompt.length,
      completion_tokens: written.length,
      total_tokens: prompt.length + written.length,
    },
  };
}

/** The likeliest tokens, and the token itself whatever its rank. Nothing for the first. */
function promptLogProbs({ prompt, spelled: all }: Run, count: number): object[] {
  const spelled = all.slice(0, prompt.length);
  return prompt.map((id, t) => {
    if (t === 0) return null as unknown as object;
    const entries = insteadOf(id, count).map(({ id: other, logProb }, i) => [
      other,
      { logprob: logProb, rank: i + 1, decoded_token: spell(other) },
    ]);
    entries.push([id, { logprob: logProbOf(id), rank: count + 1, decoded_token: decodedAt(spelled, t) }]);
    return Object.fromEntries(entries) as object;
  });
}

/** An array of (rows, layers, k) as numpy.save writes it, in base64. */
export function npy(numbers: readonly number[], rows: number, dtype: '|u1' | '<u2' | '<i4', shape = [rows, layers, k]) {
  const header = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 0xff, padded.length >> 8]);
  const arrays = { '|u1': Uint8Array, '<u2': Uint16Array, '<i4': Int32Array } as const;
  const data = new arrays[dtype](numbers);
  return Buffer.concat([start, Buffer.from(padded), Buffer.from(data.buffer)]).toString('base64');
}

export { experts };
