/**
 * Replaces onnxruntime-node (vitest.config.ts) by the same library in a child that qemu runs on the processor named by
 * GANDER_TEST_PROCESSOR. The rest of the engine runs here, where it is fast: no other part depends on the processor.
 */
import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tensor, type InferenceSession as Real } from 'onnxruntime-common';

export { Tensor };

export const env = { versions: { common: 'emulated' }, logLevel: 'fatal' };

interface Answer {
  readonly call: number;
  readonly result?: unknown;
  readonly error?: string;
}

let child: ChildProcess | undefined;
let last = 0;
const pending = new Map<number, (answer: Answer) => void>();

function start(): ChildProcess {
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'child.mjs');
  const started = fork(script, {
    execPath: process.env['GANDER_TEST_QEMU'] ?? 'qemu-x86_64',
    execArgv: ['-cpu', process.env['GANDER_TEST_PROCESSOR']!, process.execPath],
    serialization: 'advanced',
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    // qemu warns every time about what the emulated processor lacks.
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
  });
  started.on('message', (answer: Answer) => {
    pending.get(answer.call)?.(answer);
    pending.delete(answer.call);
    if (pending.size === 0) idle(started);
  });
  started.on('exit', (code, signal) => {
    for (const [call, settle] of pending) settle({ call, error: `the emulated child ended (${code ?? signal})` });
    pending.clear();
    child = undefined;
  });
  return started;
}

/** Lets the tests end while the child is still running. */
function idle(of: ChildProcess): void {
  of.unref();
  of.channel?.unref();
}

async function ask<T>(method: string, ...args: readonly unknown[]): Promise<T> {
  child ??= start();
  child.ref();
  child.channel?.ref();
  const call = ++last;
  const { result, error } = await new Promise<Answer>((resolve) => {
    pending.set(call, resolve);
    child!.send({ call, method, args });
  });
  if (error !== undefined) throw new Error(error);
  return result as T;
}

type Plain = Record<string, Pick<Tensor, 'type' | 'data' | 'dims'>>;

export class InferenceSession {
  private constructor(
    private readonly id: number,
    readonly inputMetadata: Real['inputMetadata'],
    readonly outputNames: Real['outputNames'],
  ) {}

  static async create(model: string | Uint8Array, options: Real.SessionOptions): Promise<InferenceSession> {
    const { id, inputMetadata, outputNames } = await ask<InferenceSession & { id: number }>('create', model, options);
    return new InferenceSession(id, inputMetadata, outputNames);
  }

  async run(feeds: Readonly<Record<string, Tensor>>, outputs?: readonly string[]): Promise<Record<string, Tensor>> {
    const plain = (name: string) => ({ type: feeds[name]!.type, data: feeds[name]!.data, dims: feeds[name]!.dims });
    const given = Object.fromEntries(Object.keys(feeds).map((name) => [name, plain(name)]));
    const found = await ask<Plain>('run', this.id, given, outputs ?? this.outputNames);
    return Object.fromEntries(
      Object.entries(found).map(([name, { type, data, dims }]) => [
        name,
        new Tensor(type as 'float32', data as Float32Array, dims),
      ]),
    );
  }

  async release(): Promise<void> {
    await ask('release', this.id);
  }
}
