/** Every causal model among the fixtures, and what it computes in chunks. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { type Past, PastLayout } from '../../src/engine/runtime/past.js';
import { Session, type Tensors } from '../../src/engine/runtime/session.js';
import { root } from './support.js';

export const fixtures = path.join(root, 'test/fixtures');
const causal = (folder: string) =>
  readdirSync(path.join(fixtures, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => path.basename(name) === 'model.onnx' && !name.includes('retriever'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')));
/** In `fixtures`. */
export const causalFixtures = ['bases', 'moe', 'peft', 'tiny-pool/base'].flatMap(causal).sort();

/** Of the text in the first chunk, of a token after it, and of two more. */
const chunks = [[5, 6, 7, 8, 9], [10], [11, 12]];

/** Without onnxruntime's own optimisations: what it fuses depends on how a graph is written, and changes the last digits. */
export async function chunkedRuns(file: string): Promise<Tensors[]> {
  const opened = await Session.open(file, 2);
  const layout = new PastLayout(opened);
  await opened.release();
  const session = await InferenceSession.create(file, { graphOptimizationLevel: 'disabled', intraOpNumThreads: 2 });
  const all: Tensors[] = [];
  let past: Past | undefined;
  let done = 0;
  for (const chunk of chunks) {
    const outputs = await session.run(layout.feeds(Int32Array.from(chunk), done, past));
    all.push(outputs);
    past = layout.of(outputs);
    done += chunk.length;
  }
  await session.release();
  return all;
}
