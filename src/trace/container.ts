/** What trace files of every version stand in: a safetensors container whose metadata holds a JSON header. */
import { GanderError } from '../shared/errors.js';
import {
  type ArrayOf,
  type DType,
  parseHeader,
  SafetensorsError,
  type SafetensorsHeader,
  tensorArray,
} from '../shared/safetensors.js';
import { schemaProblem } from '../shared/schemaWords.js';
import { z } from 'zod';

export const metadataKey = 'gander-trace';

export function invalid(what: string, cause?: unknown): GanderError {
  return new GanderError(
    'trace-invalid',
    `This is not a usable trace: ${what}.`,
    'Open a file that Gander saved, or route the text anew.',
    { cause },
  );
}

/** A trace file, opened: its header as JSON, and its tensors. */
export class Container {
  readonly #bytes: Uint8Array;
  readonly #container: SafetensorsHeader;
  readonly header: unknown;

  /** @throws GanderError `trace-invalid` */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    try {
      this.#container = parseHeader(bytes, bytes.byteLength);
    } catch (thrown) {
      if (thrown instanceof SafetensorsError) throw invalid(thrown.message, thrown);
      throw thrown;
    }
    const text = this.#container.metadata.get(metadataKey);
    if (text === undefined) throw invalid(`it is a safetensors file without the entry "${metadataKey}"`);
    try {
      this.header = JSON.parse(text);
    } catch (cause) {
      throw invalid('its header is not JSON', cause);
    }
  }

  /** The header as one version has it. */
  parse<T>(schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(this.header);
    if (parsed.success) return parsed.data;
    throw invalid(`its header is malformed: ${schemaProblem(parsed.error)}`);
  }

  /** Length of a tensor along an axis, for widths that only the tensors tell; 0 without it. */
  width(name: string, axis: number): number {
    return this.#container.tensors.get(name)?.shape[axis] ?? 0;
  }

  required<D extends DType>(name: string, dtype: D, shape: readonly number[]): ArrayOf<D> {
    const array = this.optional(name, dtype, shape);
    if (array === undefined) throw invalid(`the tensor "${name}" is missing`);
    return array;
  }

  optional<D extends DType>(name: string, dtype: D, shape: readonly number[]): ArrayOf<D> | undefined {
    const entry = this.#container.tensors.get(name);
    if (!entry) return undefined;
    if (entry.dtype !== dtype || entry.shape.join() !== shape.join()) {
      throw invalid(`"${name}" is ${entry.dtype} [${entry.shape.join(', ')}], not ${dtype} [${shape.join(', ')}]`);
    }
    return tensorArray(dtype, this.#bytes.subarray(entry.begin, entry.end));
  }
}

/** Without the fields that are undefined. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Offsets of tokens lie in the text, or are −1 both. */
export function checkOffsets(start: Int32Array, end: Int32Array, text: string): void {
  if (!start.every((s, t) => (s === -1 && end[t] === -1) || (s >= 0 && s <= end[t]! && end[t]! <= text.length)))
    throw invalid('a token lies outside the text');
}

/** @param experts N */
export function checkChosen(chosen: Int16Array, experts: number): void {
  if (!chosen.every((e) => e >= -1 && e < experts)) throw invalid('a chosen expert does not exist');
}

/** What is predicted is told whole: ids with their log-probabilities, texts of as many. */
export function checkPredictions(
  ids: Int32Array | undefined,
  logProbs: Float32Array | undefined,
  texts: readonly (readonly string[])[] | undefined,
  tokens: number,
  predictions: number,
): void {
  if ((ids === undefined) !== (logProbs === undefined))
    throw invalid('of "top_ids" and "top_log_prob" only one is there');
  if (texts && !(texts.length === tokens && texts.every((row) => row.length === predictions)))
    throw invalid('topTokens does not fit the tokens and predictions');
}

const scope = z.object({
  stack: z.enum(['encoder', 'decoder']).exactOptional(),
  layer: z.int().exactOptional(),
  kind: z.string().exactOptional(),
  module: z.string().exactOptional(),
  sequence: z.int().exactOptional(),
  token: z.int().exactOptional(),
});

export const interventionSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('knock-out'), expert: z.string(), scope }),
  z.object({ action: z.literal('force'), expert: z.string(), scope }),
  z.object({ action: z.literal('tilt'), expert: z.string(), amount: z.number(), scope }),
]);

/** Indexes of experts are 16-bit numbers. */
export const expertsSchema = z.array(z.object({ id: z.string(), name: z.string() })).max(32_767);
