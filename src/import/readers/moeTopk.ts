/**
 * JSON lines of `moe_topk` events, one per token and layer, as tracers built on llama.cpp write them (schema_version 1):
 * {"schema_version":1,"event":"moe_topk","phase":"prefill","token_index":123,"token_id":1234,"token_text":"def","layer":42,
 *  "experts":[17,92],"weights":[0.21,0.17],"n_expert":256}
 * `token_index` counts within its phase, `prefill` or `generation`; `token_id`, `token_text`, `weights` and `n_expert` may be
 * absent. Other events may come between them. Lines that begin with # are comments.
 */
import { z } from 'zod';
import { traceLimits } from '../../checks/limits.js';
import { Choices } from '../choices.js';
import { firstLine, type Line, linesOf, oddLine } from '../lines.js';
import { type Reader, type Routing } from '../reader.js';
import { noText, severalTexts } from '../unreadable.js';

const count = z.int().min(0);

const event = z.object({
  phase: z.string().optional(),
  token_index: count.max(traceLimits.tokens - 1),
  token_id: count.nullish(),
  token_text: z.string().nullish(),
  layer: count,
  experts: z.array(z.int().min(-1)).min(1),
  weights: z.array(z.number()).nullish(),
  n_expert: count.nullish(),
  model: z.string().optional(),
  run_id: z.string().optional(),
  test_id: z.string().nullish(),
});

type Event = z.infer<typeof event>;

const marked = /"event"\s*:\s*"moe_topk"/;

/** llama.cpp's `ffn_moe_weights` are taken before the model normalises or scales them. */
const weightsSaid = 'Its weights may be from before the model normalised or scaled them.';

export const moeTopk: Reader = {
  name: 'JSON lines of moe_topk events',
  claims: (first) => {
    const line = firstLine(first);
    return (line.startsWith('{') || line.startsWith('#')) && marked.test(new TextDecoder().decode(first));
  },
  read: (bytes, { part }) => {
    const texts = new Map<string, Text>();
    for (const line of linesOf(bytes)) {
      if (line.text.startsWith('#') || !marked.test(line.text)) continue;
      const read = readEvent(line);
      const key = `${read.run_id ?? ''} ${read.test_id ?? ''}`;
      let text = texts.get(key);
      if (!text) texts.set(key, (text = new Text()));
      text.add(read, line);
    }
    const all = [...texts.values()];
    const chosen = all[part - 1];
    if (!chosen) throw noText(all.length, part);
    return chosen.routing(all.length > 1 ? [severalTexts(all.length, part)] : []);
  },
};

function readEvent(line: Line): Event {
  let json: unknown;
  try {
    json = JSON.parse(line.text);
  } catch {
    throw oddLine(line, 'JSON: the file may be cut off');
  }
  const { data } = event.safeParse(json);
  if (!data || (data.weights && data.weights.length !== data.experts.length)) throw oddLine(line, 'a moe_topk event');
  return data;
}

/** The events of one text: its prefill, and what was generated after it. */
class Text {
  readonly #phases = { prefill: new Phase(), generation: new Phase() };
  #experts: number | undefined;
  #name: string | undefined;

  add(read: Event, line: Line): void {
    const phase = read.phase === undefined || read.phase === 'prefill' ? 'prefill' : 'generation';
    this.#phases[phase].add(read);
    if (read.n_expert) {
      if (read.n_expert > traceLimits.experts)
        throw oddLine(line, `an event of at most ${traceLimits.experts} experts`);
      this.#experts = Math.max(this.#experts ?? 0, read.n_expert);
    }
    this.#name ??= read.model;
  }

  routing(warnings: readonly string[]): Routing {
    const { prefill, generation } = this.#phases;
    const tokens = prefill.tokens + generation.tokens;
    const choices = new Choices();
    let weighted = false;
    const ids = new Int32Array(tokens).fill(-1);
    const spelled = new Array<string>(tokens).fill('');
    for (const [phase, from] of [
      [prefill, 0],
      [generation, prefill.tokens],
    ] as const)
      for (const { token_index: token, layer, experts, weights, token_id: id, token_text: text } of phase.events) {
        const module = choices.moduleOf(layer, { layer });
        experts.forEach((expert, rank) => choices.add(module, from + token, rank, expert, weights?.[rank]));
        weighted ||= Boolean(weights);
        if (typeof id === 'number') ids[from + token] = id;
        if (typeof text === 'string') spelled[from + token] = text;
      }
    return {
      kind: 'llama.cpp',
      ...(this.#name !== undefined && { name: this.#name }),
      ...choices.columns(),
      ...(ids.some((id) => id >= 0) && { ids }),
      ...(spelled.some((text) => text !== '') && { spelled }),
      ...(this.#experts !== undefined && { experts: this.#experts }),
      warnings: [...warnings, ...(weighted ? [weightsSaid] : [])],
    };
  }
}

class Phase {
  readonly events: Event[] = [];
  tokens = 0;

  add(read: Event): void {
    this.events.push(read);
    this.tokens = Math.max(this.tokens, read.token_index + 1);
  }
}
