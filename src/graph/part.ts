/** Cuts an encoder-decoder's graphs into the parts that are run by themselves. */
import { needsOf } from './builder.js';
import { type GraphProto, invalidBase } from './model.js';
import { pastPairs } from './past.js';

/** Inputs of a decoder that are the same for every token it reads. */
export const encoderInputs = { hidden: 'encoder_hidden_states', mask: 'encoder_attention_mask' } as const;

/**
 * The keys and values of the cross-attention: for each input that the decoder with past does not output again, the matching
 * output of the decoder without past.
 *
 * @throws GanderError `base-invalid` if the two do not fit together
 */
export function crossStates(first: GraphProto, withPast: GraphProto): ReadonlyMap<string, string> {
  const names = (of: GraphProto['input']) => of.map(({ name }) => name);
  const own = pastPairs(names(withPast.input), names(withPast.output));
  const others = names(withPast.input).filter(
    (name) => !own.has(name) && name !== 'input_ids' && !Object.values<string>(encoderInputs).includes(name),
  );
  const states = pastPairs(others, names(first.output));
  const lacking = others.find((name) => !states.has(name));
  if (own.size > 0 && states.size > 0 && lacking === undefined) return states;
  throw invalidBase(
    lacking === undefined
      ? 'The decoder with past takes no keys and values of earlier tokens or of the encoder'
      : `The decoder with past takes "${lacking.slice(0, 80)}", which the decoder without past does not output`,
    'Export both from one model: optimum-cli export onnx --task text2text-generation-with-past --no-post-process.',
  );
}

/** Removes everything that these outputs do not need, in place. */
export function keepOnly(graph: GraphProto, outputs: ReadonlySet<string>): void {
  const makers = new Map(graph.node.flatMap((n) => n.output.map((name) => [name, n])));
  const needed = new Set<string>();
  const kept = new Set<GraphProto['node'][number]>();
  const open = [...outputs];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    const n = makers.get(name);
    if (!n || kept.has(n)) continue;
    kept.add(n);
    open.push(...needsOf(n));
  }
  graph.node = graph.node.filter((n) => kept.has(n));
  graph.output = graph.output.filter(({ name }) => outputs.has(name));
  graph.initializer = graph.initializer.filter(({ name }) => needed.has(name));
  graph.input = graph.input.filter(({ name }) => needed.has(name));
  graph.valueInfo = graph.valueInfo.filter(({ name }) => needed.has(name));
}

/** Lets a decoder with past read several tokens at once, in place: its exporter declared only the one it was traced with. */
export function takeAnyTokens(graph: GraphProto): void {
  for (const { name, type } of [...graph.input, ...graph.output]) {
    const dims = type?.value.case === 'tensorType' ? type.value.value.shape?.dim : undefined;
    if ((name === 'input_ids' || name === 'logits') && dims?.[1])
      dims[1].value = { case: 'dimParam', value: 'gander.decoder_tokens' };
  }
  // These shapes were inferred for that one token.
  graph.valueInfo = [];
}
