/**
 * vLLM, started with --enable-return-routed-experts. Sources: https://docs.vllm.ai/en/latest/training/routed_experts/ (and
 * v0.21.0's routed_experts_replay), vllm/entrypoints/openai/completion/protocol.py, tests/entrypoints/scale_out/render.
 * What differs between versions is in `forms`.
 */
import { z } from 'zod';
import type { GenerateRequest, RouteRequest, RunOptions, ServerInfo } from '../requests/api.js';
import { serverLimits } from '../checks/limits.js';
import { isObject } from '../checks/plain.js';
import { schemaProblem } from '../checks/schemaWords.js';
import type { Trace } from '../trace/model/trace.js';
import {
  type Alternative,
  choicesInfo,
  firstRows,
  listRows,
  logProbability,
  npyRows,
  placesOfTokens,
  predictions,
  type Ran,
  type RanToken,
  type Rows,
  traceOfRun,
} from './choices.js';
import { choicesBounds, hasLonger, placesBounds, textTokens } from './bounds.js';
import type { Faults } from './faults.js';
import { joinedPlaces, placesOfCharacters } from './places.js';
import { type Card, cardOf, type Reach, type Server, type ServerKind } from './server.js';

export const vllm: ServerKind = {
  claims: (found) => cardOf(found)?.owner === 'vllm',
  open: async (found, reach) => {
    const version = await reach.http.maybe('/version', { most: serverLimits.facts });
    const said = isObject(version) && typeof version['version'] === 'string' ? { vllm: version['version'] } : {};
    return new Vllm(cardOf(found)!, said, reach);
  },
};

const start =
  'Start it with --enable-return-routed-experts (and VLLM_USE_V2_MODEL_RUNNER=1 if it uses the older runner). On a CPU it cannot say.';

const id = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const ids = z.array(id);

const promptLogProb = z.record(
  z.string().regex(/^\d{1,10}$/),
  z.object({ logprob: logProbability, rank: z.int().nullish(), decoded_token: z.string().nullish() }),
);

const completion = z.object({
  choices: z
    .array(
      z.object({
        text: z.string(),
        token_ids: ids,
        prompt_token_ids: ids,
        prompt_logprobs: z.array(promptLogProb.nullable()).nullish(),
        logprobs: z
          .object({ tokens: z.array(z.string()), token_logprobs: z.array(logProbability.nullable()) })
          .nullish(),
        routed_experts: z.unknown().optional(),
      }),
    )
    .min(1),
  prompt_routed_experts: z.unknown().optional(),
});

type Choice = z.infer<typeof completion>['choices'][number];

const rendered = z
  .array(z.object({ token_ids: ids, token_offsets: z.array(z.tuple([z.int(), z.int()])).nullish() }))
  .min(1);

/** How a version says which experts were chosen. The first form that finds its own fields reads them. */
interface Form {
  readonly since: string;
  /** Undefined if the answer does not have this form. */
  readonly rows: (choice: Choice, promptExperts: unknown, faults: Faults) => Rows | undefined;
}

const forms: readonly Form[] = [
  {
    since: '0.22',
    rows: ({ routed_experts: given, prompt_token_ids: p, token_ids: g }, _, faults) => {
      if (typeof given !== 'string') return undefined;
      const rows = npyRows(given, faults);
      // The last token was not run.
      const wanted = p.length + g.length - 1;
      if (rows.rows !== wanted)
        throw faults.odd(`it has ${rows.rows} rows of routed experts, and ${wanted} tokens were run`);
      return rows;
    },
  },
  {
    since: '0.21',
    rows: ({ routed_experts: given, prompt_token_ids: p, token_ids: g }, prompt, faults) => {
      if (!isList(prompt)) return undefined;
      const written = isList(given) ? given : [];
      if (prompt.length !== p.length || written.length > g.length)
        throw faults.odd(
          `it has ${prompt.length} and ${written.length} rows of routed experts for ${p.length} and ${g.length} tokens`,
        );
      return listRows([...prompt, ...written], faults);
    },
  },
];

interface Sampling {
  readonly max_tokens: number;
  readonly temperature: number;
  readonly top_p?: number;
  readonly seed?: number;
}

class Vllm implements Server {
  readonly info: ServerInfo;

  constructor(
    private readonly card: Card,
    versions: Readonly<Record<string, string>>,
    private readonly reach: Reach,
  ) {
    this.info = reach.http.faults.described(choicesInfo({ engine: 'vllm', versions }, card, reach));
  }

  async route({ text }: RouteRequest, options: RunOptions): Promise<Trace> {
    const { choice, rows, places } = await this.#complete(text, { max_tokens: 1, temperature: 0 }, options);
    const tokens = promptTokens(choice);
    return this.#trace({
      text,
      tokens,
      places: places ?? placesOfTokens(tokens, text),
      rows: firstRows(rows, tokens.length),
    });
  }

  async generate(request: GenerateRequest, options: RunOptions): Promise<Trace> {
    const { text, maxTokens, temperature = 0, topP, seed } = request;
    if (maxTokens === 0) return this.route(request, options);
    const asked = {
      max_tokens: maxTokens,
      temperature,
      ...(topP !== undefined && { top_p: topP }),
      ...(seed !== undefined && { seed }),
    };
    const { choice, rows, places } = await this.#complete(text, asked, options);
    const prompt = promptTokens(choice);
    const written = writtenTokens(choice);
    return this.#trace({
      text: text + choice.text,
      tokens: [...prompt, ...written],
      places: joinedPlaces(places ?? placesOfTokens(prompt, text), placesOfTokens(written, choice.text), text.length),
      rows,
    });
  }

  #trace(ran: Ran): Trace {
    return traceOfRun(ran, this.info, this.reach);
  }

  async #complete(text: string, asked: Sampling, { signal }: RunOptions) {
    const { http, model } = this.reach;
    const { faults } = http;
    const prompt = await this.#render(text, signal);
    const [read, written] = [prompt?.ids.length ?? textTokens(text), asked.max_tokens];
    const answer = await http.json(
      '/v1/completions',
      { signal, ...choicesBounds(read + written, predictions, model) },
      {
        model: this.card.id,
        prompt: prompt?.ids ?? text,
        ...asked,
        logprobs: 1,
        prompt_logprobs: predictions,
        return_token_ids: true,
      },
    );
    if (tellsOfMore(answer, read, written)) throw faults.odd('it lists more tokens than were asked for');
    const { data, error } = completion.safeParse(answer);
    if (!data) throw faults.odd(schemaProblem(error));
    const choice = data.choices[0]!;
    if (prompt && !isSame(prompt.ids, choice.prompt_token_ids))
      throw faults.odd('it ran different tokens from those that it was given');
    for (const { rows: read } of forms) {
      const rows = read(choice, data.prompt_routed_experts, faults);
      if (rows) return { choice, rows, places: prompt?.places };
    }
    throw faults.unrouted(start);
  }

  /** The text's tokens and, if the server says, their places; undefined if it does not offer this. */
  async #render(text: string, signal: AbortSignal | undefined) {
    const { http } = this.reach;
    const asked = { model: this.card.id, prompt: text, return_token_offsets: true };
    // Closed unless the server was started with --enable-scale-out.
    const asking = { signal, ...placesBounds(text), spare: true } as const;
    const answer = await http.maybe('/v1/completions/render', asking, asked);
    if (answer === undefined) return undefined;
    const [first] = Array.isArray(answer) ? (answer as unknown[]) : [];
    if (isObject(first) && hasLonger([answer, first['token_ids'], first['token_offsets']], textTokens(text)))
      throw http.faults.odd('it lists more tokens than were asked for');
    const { data, error } = rendered.safeParse(answer);
    if (!data) throw http.faults.odd(schemaProblem(error));
    const { token_ids: found, token_offsets: offsets } = data[0]!;
    const most = this.info.limits.tokens ?? Infinity;
    if (found.length > most) throw http.faults.long(found.length, most);
    if (!offsets) return { ids: found, places: undefined };
    const places = offsets.length === found.length ? placesOfCharacters(offsets, text) : undefined;
    if (!places) throw http.faults.odd('its offsets do not fit the text');
    return { ids: found, places };
  }
}

/** Checked before the entries themselves are. */
function tellsOfMore(answer: unknown, read: number, written: number): boolean {
  const choices = isObject(answer) ? answer['choices'] : undefined;
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  if (!isObject(first)) return false;
  const logprobs = isObject(first['logprobs']) ? first['logprobs'] : {};
  return (
    hasLonger([choices], 1) ||
    hasLonger([first['prompt_token_ids'], first['prompt_logprobs']], read) ||
    hasLonger([first['token_ids'], logprobs['tokens'], logprobs['token_logprobs']], written)
  );
}

function promptTokens({ prompt_token_ids: prompt, prompt_logprobs: said }: Choice): RanToken[] {
  return prompt.map((one, t) => {
    const here = said?.[t];
    if (!here) return { id: one };
    const { logprob, decoded_token: text } = here[one] ?? {};
    return { id: one, ...(typeof text === 'string' && { text }), logProb: logprob, instead: alternatives(here) };
  });
}

function writtenTokens({ token_ids: written, logprobs }: Choice): RanToken[] {
  return written.map((one, t) => ({
    id: one,
    text: logprobs?.tokens[t],
    logProb: logprobs?.token_logprobs[t] ?? undefined,
  }));
}

/** Best first. They include the token itself, even if it is not among the likeliest. */
function alternatives(said: z.infer<typeof promptLogProb>): Alternative[] {
  return Object.entries(said)
    .map(([one, { logprob, decoded_token: text }]) => ({ id: Number(one), logProb: logprob, text: text ?? '' }))
    .sort((a, b) => b.logProb - a.logProb)
    .slice(0, predictions);
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
