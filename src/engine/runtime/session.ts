/** The only file that runs a model: onnxruntime-node behind one small class. Batch is always 1. */
import './telemetry.js';
import * as ort from 'onnxruntime-node';
import { GanderError } from '../../errors/errors.js';
import type { Processor } from '../../graph/processor.js';
import type { Provider } from '../../requests/device.js';
import { plain } from '../../trace/text/label.js';
import { leftIn } from './leftToProcessor.js';
import { multipliesBytes } from './multipliesBytes.js';
import { Optimised } from './optimised.js';
import { askProcessor, bytes, inputs, question } from './processor.js';

export type Tensor = ort.Tensor;
export type Tensors = Readonly<Record<string, Tensor>>;

export const onnxruntimeVersion: string = ort.env.versions.node ?? ort.env.versions.common;

/** As a trace names what computed it. */
export const onnxruntimeName = (on: Hardware): string =>
  providerOf(on) === 'cpu' ? onnxruntimeVersion : `${onnxruntimeVersion} (${providerOf(on)})`;

// It would print names from the model to the terminal unescaped; its errors say the same.
ort.env.logLevel = 'fatal';

export function float32(values: Float32Array, dims: readonly number[]): Tensor {
  return new ort.Tensor('float32', values, dims);
}

export function int64(values: BigInt64Array, dims: readonly number[]): Tensor {
  return new ort.Tensor('int64', values, dims);
}

/** What a model runs on; a number: so many threads of the processor, 0 for onnxruntime's default. */
export type Hardware = number | { readonly threads: number; readonly provider: Provider };

/** Processor threads, also for the operators that a card lacks. */
export const threadsOf = (on: Hardware): number => (typeof on === 'number' ? on : on.threads);
export const providerOf = (on: Hardware): Provider => (typeof on === 'number' ? 'cpu' : on.provider);

/** How exactly onnxruntime multiplies in 8 bits. */
type Precision = 'quickly' | 'precisely';
const settings = (precision: Precision, threads: number): ort.InferenceSession.SessionOptions => ({
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  logSeverityLevel: 4,
  // One buffer for all tensors, planned for the sizes of the first run, only raises the peak when sizes differ each time.
  enableMemPattern: false,
  extra: {
    session: {
      // A thread that sleeps between two operators wakes late; one that spins for long takes a core from the editor's other work.
      intra_op: { allow_spinning: '1', spin_duration_us: '50' },
      // Makes signed weights unsigned, whose sums overflow on no processor. Up to four times slower: only where needed.
      x64quantprecision: precision === 'precisely' ? '1' : '0',
      // Weights of few bits that the file itself dequantises are multiplied as floats: otherwise some processors round inputs.
      qdq_matmulnbits_accuracy_level: '0',
    },
  },
});

let known: Promise<Processor> | undefined;

/** Finds out once how this processor computes. */
export function processor(): Promise<Processor> {
  return (known ??= askProcessor(async (precision) => {
    const session = await ort.InferenceSession.create(question(), settings(precision, 1));
    const { sum, rounded } = await session.run({
      bytes: new ort.Tensor('uint8', bytes, [1, bytes.length]),
      inputs: float32(inputs, [1, inputs.length]),
    });
    await session.release();
    return { sum: (sum!.data as Int32Array)[0]!, rounded: (rounded!.data as Float32Array)[0]! };
  }));
}

/** A file without such products is left alone: onnxruntime fails on some weights that it has made unsigned. */
async function precisionFor(file: string): Promise<Precision> {
  if ((await processor()).sums === 'exact') return 'quickly';
  return multipliesBytes(file) ? 'precisely' : 'quickly';
}

/** A card's provider, with what it must not compute of this model. */
function asked(name: Provider, file: string): ort.InferenceSession.ExecutionProviderConfig {
  const left = name === 'webgpu' ? leftIn(file) : [];
  // An empty list is refused.
  return left.length > 0 ? { name, forceCpuNodeNames: left } : name;
}

/** A model file, ready to run. */
export class Session {
  private constructor(private readonly session: ort.InferenceSession) {}

  /** @throws GanderError `base-invalid` if onnxruntime refuses the model. */
  static async open(file: string, threads: number): Promise<Session> {
    return Session.#create(file, settings(await precisionFor(file), threads), { graphOptimizationLevel: 'all' });
  }

  /**
   * The same for a model in a cache entry, where the graph that onnxruntime has optimised for the processor is kept.
   *
   * A card's provider is asked alone, so that nothing takes its place unnoticed; the operators that it lacks onnxruntime gives
   * to the processor.
   */
  static async openComposed(file: string, on: Hardware): Promise<Session> {
    const precision = await precisionFor(file);
    const how = settings(precision, threadsOf(on));
    const provider = providerOf(on);
    if (provider !== 'cpu')
      return Session.#create(
        file,
        { ...how, executionProviders: [asked(provider, file)] },
        { graphOptimizationLevel: 'all' },
      );
    const optimised = new Optimised(file, [onnxruntimeVersion, precision]);
    if (optimised.isSound) {
      try {
        return await Session.#create(optimised.file, how, { graphOptimizationLevel: 'disabled' });
      } catch {
        // The original is there, too.
      }
    }
    return optimised.make((into) =>
      Session.#create(file, how, {
        graphOptimizationLevel: 'all',
        ...(into !== undefined && { optimizedModelFilePath: into }),
      }),
    );
  }

  static async #create(
    file: string,
    how: ort.InferenceSession.SessionOptions,
    more: Pick<ort.InferenceSession.SessionOptions, 'graphOptimizationLevel' | 'optimizedModelFilePath'>,
  ): Promise<Session> {
    try {
      return new Session(await ort.InferenceSession.create(file, { ...how, ...more }));
    } catch (cause) {
      throw refusal('onnxruntime refuses the model', cause);
    }
  }

  get inputs(): readonly ort.InferenceSession.ValueMetadata[] {
    return this.session.inputMetadata;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  /** @throws GanderError `base-invalid` if onnxruntime fails: the inputs are ours, so the model must contradict itself. */
  async run(feeds: Tensors, outputs: readonly string[]): Promise<Tensors> {
    try {
      return await this.session.run(feeds, outputs);
    } catch (cause) {
      throw refusal('The model cannot be run', cause);
    }
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** onnxruntime's message contains names from the model, which may be as long and as strange as their author liked. */
function refusal(what: string, cause: unknown): GanderError {
  const message = plain(cause instanceof Error ? cause.message : String(cause)).slice(0, 1000);
  return new GanderError('base-invalid', `${what}: ${message}`, 'Export the model again, or choose another.', {
    cause,
  });
}
