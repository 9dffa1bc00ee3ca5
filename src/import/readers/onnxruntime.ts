/**
 * onnxruntime's log of mixtures of experts (`session.enable_moe_expert_statistics`, severity INFO), one line per node and run:
 * … moe_routing {"request_id":"…","node_name":"/model/layers.0/moe/QMoE","node_index":7,"node_type":"QMoE",
 *  "expert_ids":[…],"router_weights":[…],"num_rows":5,"top_k":2,"execution_device_id":-1}
 * or only the records, as JSON lines. Source: microsoft/onnxruntime, tools/python/qmoe_expert_distribution.py and its
 * test (pull request 32261). A line `[qmoe_prompt_runner] 2/3 prompt_start` begins another text; `moe_routing_truncated` says
 * that records were dropped.
 */
import { z } from 'zod';
import { traceLimits } from '../../checks/limits.js';
import { Choices } from '../choices.js';
import { type Line, linesOf, oddLine } from '../lines.js';
import { type Reader } from '../reader.js';
import { noText, severalTexts, unreadable } from '../unreadable.js';

const count = z.int().min(0);

const record = z.object({
  node_name: z.string().max(1000),
  node_index: count.optional(),
  expert_ids: z.array(z.int().min(-1)),
  router_weights: z.array(z.number()).optional(),
  num_rows: count.max(traceLimits.tokens),
  top_k: z.int().min(1).max(traceLimits.experts),
});

type Logged = z.infer<typeof record>;

const marker = 'moe_routing {';
const alone = /^\{.*"expert_ids"\s*:\s*\[/;
const promptStart = /\[qmoe_prompt_runner\] \d+\/\d+ prompt_start/;
const layerNumber = /layers?[./](\d{1,6})(?:[./]|$)/;

export const onnxruntime: Reader = {
  name: 'moe_routing lines of onnxruntime’s log',
  claims: (first) => {
    const text = new TextDecoder().decode(first);
    return text.includes(marker) || alone.test(text.trimStart().split('\n', 1)[0]!);
  },
  read: (bytes, { part }) => {
    let prompts = 0;
    const runs = new Runs();
    for (const line of linesOf(bytes)) {
      if (line.text.includes('moe_routing_truncated'))
        throw unreadable(
          `line ${line.number} says that onnxruntime dropped records`,
          'Run fewer tokens at once: it keeps only so many records per run.',
        );
      if (promptStart.test(line.text)) prompts++;
      const read = Math.max(1, prompts) === part ? readRecord(line) : undefined;
      if (read) runs.add(read);
    }
    if (runs.choices.isEmpty) throw noText(prompts, part);
    return {
      kind: 'onnxruntime',
      ...runs.choices.columns(),
      warnings: prompts > 1 ? [severalTexts(prompts, part)] : [],
    };
  },
};

/** @returns undefined for any other line */
function readRecord(line: Line): Logged | undefined {
  const at = line.text.indexOf(marker);
  if (at < 0 && !alone.test(line.text)) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(at < 0 ? line.text : line.text.slice(at + marker.length - 1));
  } catch {
    throw oddLine(line, 'a record of moe_routing: the file may be cut off');
  }
  const { data } = record.safeParse(json);
  const lengths = data && [data.expert_ids, data.router_weights ?? data.expert_ids].map(({ length }) => length);
  if (!lengths?.every((length) => length === data!.num_rows * data!.top_k))
    throw oddLine(line, 'a record of moe_routing');
  return data;
}

/** Each node counts its own rows: those of a run follow those of the run before. */
class Runs {
  readonly choices = new Choices();
  readonly #done = new Map<number, number>();

  add({ node_name, node_index, expert_ids, router_weights, num_rows, top_k }: Logged): void {
    const key = `${node_index ?? ''} ${node_name}`;
    const number = layerNumber.exec(node_name)?.[1];
    const module = this.choices.moduleOf(key, {
      // If names have no layer number, the graph's order counts.
      layer: number === undefined ? (node_index ?? this.#done.size) : Number(number),
      ...(number === undefined && node_name !== '' && { path: node_name }),
    });
    const from = this.#done.get(module) ?? 0;
    this.#done.set(module, from + num_rows);
    expert_ids.forEach((expert, i) =>
      this.choices.add(module, from + Math.floor(i / top_k), i % top_k, expert, router_weights?.[i]),
    );
  }
}
