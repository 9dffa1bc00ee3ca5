/** X-LoRA's first pass: the base reads the tokens, and the classifier its last hidden states. */
import { classifierNames } from '../../../graph/classifier.js';
import { names } from '../../../graph/route.js';
import type { CausalSession, Chunk } from '../../runtime/causal.js';
import { firstNotFinite, notFinite } from '../../runtime/finite.js';
import type { Past } from '../../runtime/past.js';
import { type Hardware, Session, type Tensor } from '../../runtime/session.js';
import { type Composed, filesOf } from './compose.js';
import type { RoutedGraph } from './graph.js';
import type { Scaling, Steering } from './steering.js';

/** What the run itself needs of the first pass. */
interface Passed {
  readonly steering: Steering;
  /** [T, rows, N] logits. */
  readonly affinity: Float32Array;
  /** Keys and values of the first pass, which has its own: so a token's scalings never change. */
  readonly past: Past;
}

const prefix = 'gander.first.';

export class ScalingPass {
  private constructor(
    private readonly classifier: Session,
    private readonly graph: RoutedGraph,
  ) {}

  /** @returns undefined if the pool has no classifier */
  static async open({ entry, plan }: Composed, graph: RoutedGraph, on: Hardware): Promise<ScalingPass | undefined> {
    if (!plan.scaling) return undefined;
    return new ScalingPass(await Session.openComposed(filesOf(entry.folder).classifier, on), graph);
  }

  /**
   * @param run runs the composed graph
   * @throws GanderError `base-invalid` if the model cannot be run, or gives a number that is not finite
   */
  async run(chunk: Chunk, scaling: Scaling, run: CausalSession['run']): Promise<Passed> {
    const t = chunk.ids.length;
    const feeds = this.graph.feeds(scaling.first, chunk.done, t);
    const { step, outputs } = await run({ ...chunk, past: chunk.past && own(chunk.past) }, feeds, [names.hidden]);
    const { hidden, logits } = classifierNames;
    const read = await this.classifier.run({ [hidden]: outputs[names.hidden]! }, [logits]);
    const values = read[logits]!.data as Float32Array;
    if (firstNotFinite(values) >= 0) throw notFinite('logit of the X-LoRA classifier');
    const past = new Map([...step.past].map(([name, tensor]) => [prefix + name, tensor]));
    return { ...scaling.second(values, chunk.done, t), past };
  }

  async release(): Promise<void> {
    await this.classifier.release();
  }
}

/** What is kept of the first pass beside the run's own keys and values, under its own names. */
function own(past: Past): Past {
  return new Map(
    [...past].flatMap(([name, tensor]): [string, Tensor][] =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  );
}
