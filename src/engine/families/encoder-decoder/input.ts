import path from 'node:path';
import { encoderInputs } from '../../../graph/part.js';
import { pastPairs } from '../../../graph/past.js';
import { names } from '../../../graph/route.js';
import type { Past } from '../../runtime/past.js';
import { type Hardware, Session, type Tensor, type Tensors, int64 } from '../../runtime/session.js';
import { type Composed, filesOf } from '../lora-pool/compose.js';
import { RoutedGraph, type RoutedPart } from '../lora-pool/graph.js';
import { graphParts } from '../lora-pool/plan.js';
import type { RoutedStep } from '../lora-pool/session.js';
import type { Steering } from '../lora-pool/steering.js';
import { graphNames } from './compose.js';

const hidden = 'last_hidden_state';

/** Runs the graphs that read the input, and gives what the decoder needs before its first token. */
export class PairInput {
  private constructor(
    private readonly encoder: Session,
    private readonly cross: Session,
    private readonly graphs: readonly [encoder: RoutedGraph, cross: RoutedGraph],
    /** For each decoder input that stays the same over the whole output: the output or input of `cross` that it is. */
    private readonly given: ReadonlyMap<string, string>,
  ) {}

  /** @param constant inputs of the decoder that are the same for every chunk */
  static async open({ entry, plan }: Composed, on: Hardware, constant: readonly string[]): Promise<PairInput> {
    const parts = graphParts(plan);
    const files = graphNames.map((name) => filesOf(path.join(entry.folder, name)));
    const graphs = [0, 1].map((i) => new RoutedGraph(plan, parts[i]!, files[i]!.experts));
    const encoder = await Session.openComposed(files[0]!.model, on);
    const cross = await Session.openComposed(files[1]!.model, on);
    const states = pastPairs(constant, cross.outputNames);
    const same = Object.values<string>(encoderInputs).filter((name) => constant.includes(name));
    const given = new Map([...states, ...same.map((name) => [name, name] as const)]);
    return new PairInput(encoder, cross, graphs as [RoutedGraph, RoutedGraph], given);
  }

  /**
   * Reads the input and computes from it the keys and values of the cross-attention: the past of the output's first chunk.
   *
   * @throws GanderError `base-invalid` if the model cannot be run, or gives a number that is not finite
   */
  async encode(ids: Int32Array, steering: Steering): Promise<RoutedStep> {
    const t = ids.length;
    const ones = () => int64(new BigInt64Array(t).fill(1n), [1, t]);
    const [encoder, cross] = this.graphs;
    const input = { input_ids: int64(BigInt64Array.from(ids, BigInt), [1, t]), attention_mask: ones() };
    const read = await runRouted(this.encoder, encoder, steering, t, input, [hidden]);
    const shared: Tensors = {
      [encoderInputs.hidden]: read.outputs[hidden]!,
      [encoderInputs.mask]: ones(),
      // The outputs used here do not depend on the decoder's tokens.
      input_ids: int64(BigInt64Array.of(0n), [1, 1]),
    };
    const states = [...this.given.values()].filter((name) => this.cross.outputNames.includes(name));
    const made = await runRouted(this.cross, cross, steering, t, shared, states);
    const past = new Map<string, Tensor>();
    for (const [name, source] of this.given) past.set(name, made.outputs[source] ?? shared[source]!);
    return { ...silent, past, parts: [read.part, made.part] };
  }

  /** The part of a chunk's past that stays the same over the whole output. */
  kept(past: Past | undefined): ReadonlyMap<string, Tensor> {
    return new Map([...this.given.keys()].map((name) => [name, past!.get(name)!]));
  }

  async release(): Promise<void> {
    await this.encoder.release();
    await this.cross.release();
  }
}

/** Nothing is predicted after the input's tokens. */
const silent = {
  logProb: new Float32Array(),
  topLogProb: new Float32Array(),
  topIds: new BigInt64Array(),
  last: new Float32Array(),
};

/** @param given inputs; those that the graph does not have are ignored */
async function runRouted(
  session: Session,
  graph: RoutedGraph,
  steering: Steering,
  t: number,
  given: Tensors,
  wanted: readonly string[],
): Promise<{ readonly outputs: Tensors; readonly part: RoutedPart }> {
  const counted = { [names.targets]: int64(new BigInt64Array(t), [1, t, 1]) };
  const all: Tensors = { ...given, ...counted, ...graph.feeds(steering, 0, t) };
  const taken = session.inputs.flatMap(({ name }) => (all[name] ? [[name, all[name]] as const] : []));
  const outputs = await session.run(Object.fromEntries(taken), [...wanted, ...graph.wanted]);
  return { outputs, part: graph.read(outputs, t) };
}
