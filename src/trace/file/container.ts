/** The container of trace files of every version: a safetensors file whose metadata holds a JSON header. */
import { bytesInWords } from '../../formats/bytes.js';
import { GanderError } from '../../errors/errors.js';
import { traceLimits } from '../../checks/limits.js';
import { isObject } from '../../checks/plain.js';
import {
  type ArrayOf,
  type DType,
  parseHeader,
  prefixLength,
  SafetensorsError,
  type SafetensorsHeader,
  tensorArray,
} from '../../formats/safetensors.js';
import { schemaProblem } from '../../checks/schemaWords.js';
import { z } from 'zod';
import type { ExpertSet, Intervention } from '../model/trace.js';

export const metadataKey = 'gander-trace';

export function invalid(what: string, cause?: unknown): GanderError {
  return new GanderError(
    'trace-invalid',
    `This is not a usable trace: ${what}.`,
    'Open a file that Gander saved, or route the text again.',
    { cause },
  );
}

/** An open trace file: its header as JSON, and its tensors. */
export class Container {
  readonly #bytes: Uint8Array;
  readonly #container: SafetensorsHeader;
  readonly header: unknown;

  /** @throws GanderError `trace-invalid` */
  constructor(bytes: Uint8Array) {
    checkTraceSize(bytes.byteLength);
    this.#bytes = bytes;
    try {
      const prefix = prefixLength(bytes, bytes.byteLength);
      if (prefix > traceLimits.header)
        throw invalid(
          `its header has ${bytesInWords(prefix)}, and at most ${bytesInWords(traceLimits.header)} are read`,
        );
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

  /** The header under one version's schema. Sizes are checked first, before the schema looks at each part. */
  parse<T>(schema: z.ZodType<T>, countOf: (header: unknown) => Counts): T {
    const excess = tooMany(countOf(this.header));
    if (excess) throw invalid(excess);
    const parsed = schema.safeParse(this.header);
    if (parsed.success) return parsed.data;
    throw invalid(`its header is malformed: ${schemaProblem(parsed.error)}`);
  }

  /** Length of a tensor along an axis, for widths that only the tensors show; 0 if it is absent. */
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

/** For whatever reads a trace file: checks its size before its content. @throws GanderError `trace-invalid` */
export function checkTraceSize(bytes: number): void {
  if (bytes > traceLimits.bytes) throw invalid(tooLarge(bytes));
}

export function tooLarge(bytes: number): string {
  return `it has ${bytesInWords(bytes)}, and at most ${bytesInWords(traceLimits.bytes)} can be shown`;
}

/** What a trace may have too many of. */
export type Counts = Readonly<
  Record<'tokens' | 'modules' | 'experts' | 'interventions' | 'lookups' | 'versions', number>
>;

/** What exceeds the limits, in words; undefined if nothing does. */
export function tooMany(counts: Counts): string | undefined {
  for (const [what, count] of Object.entries(counts) as [keyof Counts, number][])
    if (count > traceLimits[what])
      return `it has ${count} ${named[what]}, and at most ${traceLimits[what]} can be shown`;
  return undefined;
}

const named: Readonly<Record<keyof Counts, string>> = {
  tokens: 'tokens',
  modules: 'modules',
  experts: 'experts',
  interventions: 'interventions',
  lookups: 'what-ifs and token ranges, counted for each module',
  versions: 'versions',
};

/** What-ifs and the token ranges that they name, times the number of modules. */
export function lookupsOf(interventions: unknown, modules: number): number {
  const ranges = (one: unknown) => partsOf(partOf(partOf(one, 'scope'), 'tokens')).length;
  return modules * partsOf(interventions).reduce<number>((sum, one) => sum + 1 + ranges(one), 0);
}

/** For values of unchecked shape: their size, or their parts. */
export const sizeOf = (value: unknown): number => Object.keys(isObject(value) ? value : {}).length;
export const partsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const partOf = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined);

/** Drops the fields that are undefined. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A token's offsets must lie in the text, or both be −1. */
export function checkOffsets(start: Int32Array, end: Int32Array, text: string): void {
  if (!start.every((s, t) => (s === -1 && end[t] === -1) || (s >= 0 && s <= end[t]! && end[t]! <= text.length)))
    throw invalid('a token lies outside the text');
}

/** @param experts N */
export function checkChosen(chosen: Int16Array, k: number, experts: number): void {
  // Without tokens or modules, a width costs no bytes, so the file's size does not limit it.
  if (k > Math.max(1, experts)) throw invalid(`it chooses ${k} of ${experts} experts`);
  if (!chosen.every((e) => e >= -1 && e < experts)) throw invalid('a chosen expert does not exist');
}

/** Predictions must be complete or absent: ids need log-probabilities, and texts must match them in number. */
export function checkPredictions(
  ids: Int32Array | undefined,
  logProbs: Float32Array | undefined,
  texts: readonly (readonly string[])[] | undefined,
  tokens: number,
  predictions: number,
): void {
  if ((ids === undefined) !== (logProbs === undefined))
    throw invalid('only one of "top_ids" and "top_log_prob" is there');
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
  tokens: z
    .array(z.tuple([z.int(), z.int()]).readonly())
    .readonly()
    .exactOptional(),
});

/** Files and servers call a logit bias a tilt. */
export const interventionSchema = z.discriminatedUnion('action', [
  z.object({ action: z.literal('knock-out'), expert: z.string(), scope }),
  z.object({ action: z.literal('force'), expert: z.string(), scope }),
  z
    .object({ action: z.literal('tilt'), expert: z.string(), amount: z.number(), scope })
    .transform((tilt) => ({ ...tilt, action: 'logit-bias' as const })),
]);

/** As a file and a server have it. */
export type WrittenIntervention = z.input<typeof interventionSchema>;

export function writtenIntervention(intervention: Intervention): WrittenIntervention {
  return intervention.action === 'logit-bias' ? { ...intervention, action: 'tilt' } : intervention;
}

export const expertsSchema = z.array(z.object({ id: z.string(), name: z.string() }));

/** Files and servers call shared experts always-on. */
export const expertSetSchema = (experts: typeof expertsSchema) =>
  z
    .object({ scope: z.enum(['pool', 'layer']), experts, alwaysOn: experts.exactOptional() })
    .transform(({ alwaysOn, ...set }) => ({ ...set, ...(alwaysOn && { sharedExperts: alwaysOn }) }));

export function writtenExpertSet({ scope, experts, sharedExperts }: ExpertSet) {
  return { scope, experts: [...experts], ...(sharedExperts && { alwaysOn: [...sharedExperts] }) };
}
