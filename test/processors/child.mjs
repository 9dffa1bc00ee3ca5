// onnxruntime on the emulated processor, for onnxruntime.ts, which replaces it in the tests' process.
import { InferenceSession, Tensor, env } from 'onnxruntime-node';

env.logLevel = 'fatal';
/** @type {Map<number, InferenceSession>} */
const sessions = new Map();
let last = 0;

const asked = {
  create: async (/** @type {[any, any]} */ [model, options]) => {
    const session = await InferenceSession.create(model, options);
    sessions.set(++last, session);
    const { inputMetadata, outputNames } = session;
    return { id: last, inputMetadata, outputNames };
  },
  run: async (/** @type {[number, Record<string, any>, string[]]} */ [id, feeds, outputs]) => {
    const tensors = Object.entries(feeds).map(([name, { type, data, dims }]) => [name, new Tensor(type, data, dims)]);
    const found = await sessions.get(id)?.run(Object.fromEntries(tensors), outputs);
    const plain = Object.entries(found ?? {}).map(([name, { type, data, dims }]) => [name, { type, data, dims }]);
    return Object.fromEntries(plain);
  },
  release: async (/** @type {[number]} */ [id]) => {
    await sessions.get(id)?.release();
    sessions.delete(id);
  },
};

/** @param {{ call: number, method: keyof typeof asked, args: any }} message */
async function answer({ call, method, args }) {
  try {
    process.send?.({ call, result: await asked[method](args) });
  } catch (error) {
    process.send?.({ call, error: error instanceof Error ? error.message : String(error) });
  }
}
process.on('message', (/** @type {Parameters<typeof answer>[0]} */ message) => void answer(message));
process.on('disconnect', () => process.exit(0));
