/** SGLang according to the sources in README.md, with a first layer that has no experts. */
import { insteadOf, k, layers, logProbOf, run, type Run, spell } from './model.js';
import { type Handler, json, notFound } from './http.js';
import { modelName } from './vllm.js';

export interface SglangOptions {
  readonly version: string;
  readonly routed?: boolean;
  /** Knows `return_input_expert_ids`. */
  readonly parts?: boolean;
  /** Where OpenAI's API has the expert ids; `own`: the server's own API is there too. */
  readonly at?: 'own' | 'sglext' | 'sgl_ext';
}

export function sglang({ version, routed = true, parts = true, at = 'own' }: SglangOptions): Handler {
  return ({ path, body = {} }, response) => {
    switch (path) {
      case '/v1/models':
        return json(response, {
          object: 'list',
          data: [{ id: modelName, object: 'model', owned_by: 'sglang', root: modelName, max_model_len: 256 }],
        });
      case '/server_info':
        return json(response, { version, model_path: modelName, enable_return_routed_experts: routed });
      case '/generate': {
        if (at !== 'own') return notFound(response);
        const { max_new_tokens: count } = body['sampling_params'] as { max_new_tokens: number };
        const ran = run(body['text'] as string, count);
        return json(response, {
          text: ran.more,
          output_ids: ran.written,
          meta_info: {
            id: '1',
            finish_reason: { type: 'length', length: count },
            prompt_tokens: ran.prompt.length,
            completion_tokens: count,
            cached_tokens: 0,
            ...logProbs(ran, body['top_logprobs_num'] as number),
            ...(routed && expertIds(ran, body, parts)),
          },
        });
      }
      case '/v1/completions': {
        const ran = run(body['prompt'] as string, body['max_tokens'] as number);
        const extension = routed ? expertIds(ran, body, parts) : {};
        const found = Object.keys(extension).length > 0;
        return json(response, {
          id: '1',
          object: 'text_completion',
          created: 0,
          model: modelName,
          choices: [
            {
              index: 0,
              text: ran.more,
              logprobs: null,
              finish_reason: 'length',
              matched_stop: null,
              token_ids: ran.written,
              prompt_token_ids: ran.prompt,
              ...(found && at === 'sgl_ext' && { sgl_ext: extension }),
            },
          ],
          usage: { prompt_tokens: ran.prompt.length, completion_tokens: ran.written.length, total_tokens: 0 },
          ...(found && at !== 'sgl_ext' && { sglext: extension }),
        });
      }
      default:
        return notFound(response);
    }
  };
}

function logProbs({ prompt, written, spelled }: Run, count: number): object {
  const token = (id: number, t: number, first: boolean) => [first ? null : logProbOf(id), id, spelled[t]];
  const tops = (id: number) => insteadOf(id, count).map((one) => [one.logProb, one.id, spell(one.id)]);
  return {
    input_token_logprobs: prompt.map((id, t) => token(id, t, t === 0)),
    input_top_logprobs: prompt.map((id, t) => (t === 0 ? null : tops(id))),
    output_token_logprobs: written.map((id, t) => token(id, prompt.length + t, false)),
    output_top_logprobs: written.map(tops),
  };
}

/** Layers of a row: the dense one too, whose numbers mean nothing. */
const wide = layers + 1;

function expertIds({ prompt, chosen }: Run, asked: Readonly<Record<string, unknown>>, parts: boolean): object {
  const rows = chosen.map((row) => [Array.from({ length: k }, () => 0), ...row]);
  const before = prompt.length - 1;
  const both = parts && asked['return_input_expert_ids'] === true && asked['return_output_expert_ids'] === true;
  return {
    ...(asked['return_routed_experts'] === true && { routed_experts: int32(rows.flat(2)) }),
    ...(both && {
      input_expert_ids: int32(rows.slice(0, before).flat(2)),
      output_expert_ids: int32(rows.slice(before).flat(2)),
      expert_ids_schema: {
        dtype: 'int32',
        layout: 'row_major',
        id_space: 'logical_global',
        num_layers: wide,
        top_k: k,
        moe_layer_ids: [1, 2],
        input_num_rows: before,
        output_num_rows: rows.length - before,
        input_start_position: 0,
        output_start_position: before,
      },
    }),
  };
}

export function int32(numbers: readonly number[]): string {
  return Buffer.from(Int32Array.from(numbers).buffer).toString('base64');
}
