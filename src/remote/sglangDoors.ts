/** The two ways to ask SGLang: by its own API, which says more, and by OpenAI's, where only that is let through. */
import { z } from 'zod';
import type { GenerateRequest } from '../requests/api.js';
import { isObject } from '../checks/plain.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { type Alternative, logProbability, predictions, type RanToken } from './choices.js';
import type { Faults } from './faults.js';

/** What SGLang says about a finished run. */
export interface Ended {
  readonly prompt: readonly RanToken[];
  readonly written: readonly RanToken[];
  /** The written text. */
  readonly text: string;
  /** The object that contains the expert ids, if there are any. */
  readonly experts: object;
}

export interface Door {
  readonly path: string;
  readonly body: (request: GenerateRequest, model: string) => object;
  /** The values that should be lists with an entry for each token. */
  readonly lists: (answer: unknown) => readonly unknown[];
  /** @throws GanderError `server-invalid` */
  readonly read: (answer: unknown, faults: Faults) => Ended;
}

const id = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** [log-probability, id, text] */
const said = z.tuple([logProbability.nullable(), id, z.string().nullish()]);
const top = z.array(z.array(said).nullable()).nullish();

const native = z.object({
  text: z.string(),
  meta_info: z.looseObject({
    input_token_logprobs: z.array(said),
    output_token_logprobs: z.array(said),
    input_top_logprobs: top,
    output_top_logprobs: top,
  }),
});

/** https://docs.sglang.io: `/generate` */
const own: Door = {
  path: '/generate',
  body: ({ text, maxTokens, temperature = 0, topP, seed }) => ({
    text,
    sampling_params: {
      max_new_tokens: maxTokens,
      temperature,
      ...(topP !== undefined && { top_p: topP }),
      ...(seed !== undefined && { sampling_seed: seed }),
    },
    return_logprob: true,
    logprob_start_len: 0,
    top_logprobs_num: predictions,
    return_text_in_logprobs: true,
  }),
  lists: (answer) => Object.values(partOf(answer, 'meta_info')),
  read: (answer, faults) => {
    const { data, error } = native.safeParse(answer);
    if (!data) throw faults.odd(schemaProblem(error));
    const { text, meta_info: meta } = data;
    return {
      prompt: tokensOf(meta.input_token_logprobs, meta.input_top_logprobs),
      written: tokensOf(meta.output_token_logprobs, meta.output_top_logprobs),
      text,
      experts: meta,
    };
  },
};

function partOf(answer: unknown, name: string): Readonly<Record<string, unknown>> {
  const part = isObject(answer) ? answer[name] : undefined;
  return typeof part === 'object' && part !== null ? (part as Readonly<Record<string, unknown>>) : {};
}

type Said = z.infer<typeof said>;

function tokensOf(list: readonly Said[], tops: z.infer<typeof top>): RanToken[] {
  return list.map(([logProb, one, text], t) => {
    const instead = tops?.[t]?.flatMap(([p, other, spelling]): Alternative[] =>
      p === null ? [] : [{ id: other, logProb: p, text: spelling ?? '' }],
    );
    return {
      id: one,
      ...(typeof text === 'string' && { text }),
      ...(logProb !== null && { logProb }),
      ...(instead && { instead }),
    };
  });
}

const extension = z.record(z.string(), z.unknown());

const openAi = z.object({
  choices: z
    .array(
      z.object({
        text: z.string(),
        token_ids: z.array(id),
        prompt_token_ids: z.array(id),
        // The name in the documentation.
        sgl_ext: extension.nullish(),
      }),
    )
    .min(1),
  // The name in the code and its tests.
  sglext: extension.nullish(),
});

/** https://docs.sglang.io: `/v1/completions` */
const likeOpenAi: Door = {
  path: '/v1/completions',
  body: ({ text, maxTokens, temperature = 0, topP, seed }, model) => ({
    model,
    prompt: text,
    max_tokens: maxTokens,
    temperature,
    ...(topP !== undefined && { top_p: topP }),
    ...(seed !== undefined && { seed }),
    return_token_ids: true,
  }),
  lists: (answer) => {
    const choices = Object.values(partOf(answer, 'choices'));
    return [...choices.slice(0, 1).flatMap((choice) => (isObject(choice) ? Object.values(choice) : [])), choices];
  },
  read: (answer, faults) => {
    const { data, error } = openAi.safeParse(answer);
    if (!data) throw faults.odd(schemaProblem(error));
    const { text, token_ids: written, prompt_token_ids: prompt, sgl_ext: inChoice } = data.choices[0]!;
    return {
      prompt: prompt.map((one) => ({ id: one })),
      written: written.map((one) => ({ id: one })),
      text,
      experts: data.sglext ?? inChoice ?? {},
    };
  },
};

export const doors: readonly Door[] = [own, likeOpenAi];
