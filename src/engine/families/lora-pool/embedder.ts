import { firstNotFinite, notFinite } from '../../runtime/finite.js';
import { Session, type Tensor, int64 } from '../../runtime/session.js';

/** A sentence encoder: mean of the last hidden states, normalised. */
export class Embedder {
  private constructor(private readonly session: Session) {}

  static async open(file: string, threads: number): Promise<Embedder> {
    return new Embedder(await Session.open(file, threads));
  }

  /** @returns a unit vector [d] */
  async embed(ids: Int32Array): Promise<Float32Array> {
    const t = ids.length;
    const all: Record<string, BigInt64Array> = {
      input_ids: BigInt64Array.from(ids, BigInt),
      attention_mask: new BigInt64Array(t).fill(1n),
      token_type_ids: new BigInt64Array(t),
    };
    const feeds: Record<string, Tensor> = {};
    for (const { name } of this.session.inputs) if (all[name]) feeds[name] = int64(all[name], [1, t]);
    const first = this.session.outputNames[0]!;
    const output = (await this.session.run(feeds, [first]))[first]!;
    const hidden = output.data as Float32Array;
    const width = output.dims.at(-1)!;
    const mean = new Float32Array(width);
    for (let at = 0; at < hidden.length; at++) mean[at % width]! += hidden[at]! / t;
    if (firstNotFinite(mean) >= 0) throw notFinite('the retriever');
    const length = Math.sqrt(mean.reduce((sum, x) => sum + x * x, 0)) || 1;
    return mean.map((x) => x / length);
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}
