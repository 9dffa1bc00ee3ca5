/**
 * SGLang, started with --enable-return-routed-experts. Sources: python/sglang/srt/state_capturer/routed_experts.py, its tests
 * of expert id partitions and of dense layers, entrypoints/openai/protocol.py, https://docs.sglang.io (OpenAI completions).
 * What differs between versions is in `forms`; what differs between its own API and OpenAI's, in `doors`.
 */
import { z } from 'zod';
import type { GenerateRequest, RouteRequest, RunOptions, ServerInfo } from '../requests/api.js';
import { GanderError } from '../errors/errors.js';
import { joined } from '../formats/joined.js';
import { serverLimits } from '../checks/limits.js';
import { isObject } from '../checks/plain.js';
import type { Trace } from '../trace/model/trace.js';
import { choicesBounds, hasLonger, textTokens } from './bounds.js';
import {
  choicesInfo,
  firstRows,
  int32Of,
  placesOfTokens,
  predictions,
  type Ran,
  type Rows,
  traceOfRun,
} from './choices.js';
import type { Faults } from './faults.js';
import { joinedPlaces } from './places.js';
import { cardOf, type Card, type Reach, type Server, type ServerKind } from './server.js';
import { type Door, doors, type Ended } from './sglangDoors.js';

export const sglang: ServerKind = {
  claims: (found) => cardOf(found)?.owner === 'sglang',
  open: async (found, reach) => {
    const asking = { most: serverLimits.facts };
    // Some versions have only one of these; the second is the older name.
    const facts =
      (await reach.http.maybe('/server_info', asking)) ?? (await reach.http.maybe('/get_server_info', asking));
    const version = isObject(facts) && typeof facts['version'] === 'string' ? { sglang: facts['version'] } : {};
    return new Sglang(cardOf(found)!, version, reach);
  },
};

const start = 'Start it with --enable-return-routed-experts.';

const schema = z.object({
  dtype: z.literal('int32'),
  layout: z.literal('row_major'),
  id_space: z.literal('logical_global'),
  num_layers: z.int().min(1),
  top_k: z.int().min(1),
  moe_layer_ids: z.array(z.int().min(0)),
  input_num_rows: z.int().min(0),
  output_num_rows: z.int().min(0),
  input_start_position: z.literal(0),
  output_start_position: z.int().min(0),
});

const told = z.object({
  routed_experts: z.string().nullish(),
  input_expert_ids: z.string().nullish(),
  output_expert_ids: z.string().nullish(),
  expert_ids_schema: schema.nullish(),
});

type Read = Pick<Ran, 'rows' | 'layers'>;

/** How a version is asked which experts were chosen, and how it answers. The first form that an answer fits is kept. */
interface Form {
  readonly since: string;
  readonly asks: object;
  /** @param tokens read and written */
  readonly read: (experts: z.infer<typeof told>, tokens: number, reach: Reach) => Read | undefined;
}

const forms: readonly Form[] = [
  {
    since: 'after 0.5.23',
    asks: { return_input_expert_ids: true, return_output_expert_ids: true },
    read: ({ input_expert_ids: input, output_expert_ids: output, expert_ids_schema: about }, tokens, { http }) => {
      if (typeof input !== 'string' || typeof output !== 'string' || !about) return undefined;
      const { num_layers: layers, top_k: k, input_num_rows: before, output_num_rows: after } = about;
      if (about.output_start_position !== before) throw http.faults.odd('its two parts do not follow each other');
      const numbers = joined(int32Of(input, http.faults), int32Of(output, http.faults));
      const sparse = [...about.moe_layer_ids].sort((a, b) => a - b);
      if (sparse.some((layer, i) => layer >= layers || layer === sparse[i - 1]))
        throw http.faults.odd('its moe_layer_ids are not of its layers');
      const rows = { rows: before + after, layers, k, numbers };
      return { rows: checked(rows, tokens, http.faults), layers: { layers, sparse } };
    },
  },
  {
    since: 'pull request 12162',
    asks: { return_routed_experts: true },
    read: ({ routed_experts: given }, tokens, { http, model }) => {
      if (typeof given !== 'string') return undefined;
      const numbers = int32Of(given, http.faults);
      if (model?.layers === undefined || model.k === undefined)
        throw http.faults.odd(
          'it does not say for how many layers and experts per token its numbers are',
          undefined,
          'Give its model’s config.json: Gander: Connect to Engine… asks for it, and the command line takes it as --config.',
        );
      const rows = { rows: tokens - 1, layers: model.layers, k: model.k, numbers };
      return { rows: checked(rows, tokens, http.faults) };
    },
  },
];

/** Checks their number: the last token was not run. */
function checked(rows: Rows, tokens: number, faults: Faults): Rows {
  const { rows: count, layers, k, numbers } = rows;
  if (count !== tokens - 1 || numbers.length !== count * layers * k)
    throw faults.odd(
      `it has ${numbers.length} expert ids, and ${tokens - 1} tokens were run through ${layers} layers with ${k} each`,
      undefined,
      'Check that the config.json belongs to the model that it runs.',
    );
  return rows;
}

class Sglang implements Server {
  readonly info: ServerInfo;
  /** Known once an answer fitted; until then all are tried. */
  #form: Form | undefined;
  #door: Door | undefined;

  constructor(
    private readonly card: Card,
    versions: Readonly<Record<string, string>>,
    private readonly reach: Reach,
  ) {
    this.info = reach.http.faults.described(choicesInfo({ engine: 'sglang', versions }, card, reach));
  }

  async route({ text }: RouteRequest, options: RunOptions): Promise<Trace> {
    const { prompt, written, rows, layers } = await this.#run({ text, maxTokens: 1 }, options);
    return this.#trace({
      text,
      tokens: prompt,
      places: placesOfTokens(prompt, text),
      rows: firstRows(rows, prompt.length),
      ...(layers && { layers }),
      ...(written[0]?.instead && { next: written[0].instead }),
    });
  }

  async generate(request: GenerateRequest, options: RunOptions): Promise<Trace> {
    if (request.maxTokens === 0) return this.route(request, options);
    const { text } = request;
    const { prompt, written, text: more, rows, layers } = await this.#run(request, options);
    return this.#trace({
      text: text + more,
      tokens: [...prompt, ...written],
      places: joinedPlaces(placesOfTokens(prompt, text), placesOfTokens(written, more), text.length),
      rows,
      ...(layers && { layers }),
    });
  }

  #trace(ran: Ran): Trace {
    return traceOfRun(ran, this.info, this.reach);
  }

  async #run(request: GenerateRequest, options: RunOptions): Promise<Ended & Read> {
    for (const form of this.#form ? [this.#form] : forms) {
      const ended = await this.#ask(request, form, options);
      const experts = ended && told.safeParse(ended.experts);
      if (experts?.error)
        throw this.reach.http.faults.odd(
          'its expert ids are not as its own documentation describes them',
          experts.error,
        );
      const read = experts && form.read(experts.data, ended.prompt.length + ended.written.length, this.reach);
      if (!read) continue;
      this.#form = form;
      return { ...ended, ...read };
    }
    throw this.reach.http.faults.unrouted(start);
  }

  /** Undefined if the server rejects the request of this form, because it may accept another. */
  async #ask(request: GenerateRequest, form: Form, { signal }: RunOptions): Promise<Ended | undefined> {
    const { http, model } = this.reach;
    const most = textTokens(request.text) + request.maxTokens;
    for (const door of this.#door ? [this.#door] : doors) {
      try {
        const answer = await http.maybe(
          door.path,
          { signal, ...choicesBounds(most, predictions, model) },
          { ...door.body(request, this.card.id), ...form.asks },
        );
        if (answer === undefined) continue;
        this.#door = door;
        if (hasLonger(door.lists(answer), most)) throw http.faults.odd('it lists more tokens than were asked for');
        return door.read(answer, http.faults);
      } catch (thrown) {
        const isLast = form === forms.at(-1) || this.#form !== undefined;
        if (!isLast && thrown instanceof GanderError && thrown.code === 'request-invalid') return undefined;
        throw thrown;
      }
    }
    throw http.faults.unknown();
  }
}
