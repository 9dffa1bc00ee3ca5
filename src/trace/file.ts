/**
 * A trace as bytes: the safetensors container with a JSON header (docs/trace-format.md). Reading lays typed arrays over
 * the given bytes where they are aligned; keep the bytes as they are afterwards.
 */
import { z } from 'zod';
import { bytesInWords } from '../shared/bytes.js';
import { GanderError } from '../shared/errors.js';
import { traceLimits } from '../shared/limits.js';
import {
  type ArrayOf,
  type DType,
  encodeSafetensors,
  parseHeader,
  prefixLength,
  SafetensorsError,
  type SafetensorsHeader,
  tensorArray,
  type TensorInput,
} from '../shared/safetensors.js';
import { schemaProblem } from '../shared/schemaWords.js';
import { finished } from './finished.js';
import { bounded } from './strategy.js';
import type { Intervention, Strategy, Trace } from './trace.js';

const version = 1;
const metadataKey = 'gander-trace';

const k = z.int().min(1);
const scope = z.object({
  layer: z.int().exactOptional(),
  kind: z.string().exactOptional(),
  module: z.string().exactOptional(),
  token: z.int().exactOptional(),
});

const strategy: z.ZodType<Strategy> = z.discriminatedUnion('name', [
  z.object({ name: z.literal('base') }),
  z.object({ name: z.literal('single'), expert: z.string() }),
  z.object({ name: z.literal('phatgoose'), k }),
  z.object({ name: z.literal('retrieval'), expert: z.string().exactOptional() }),
  z.object({ name: z.literal('merged') }),
  z.object({ name: z.literal('average-activation'), k }),
  z.object({ name: z.literal('arrow'), k }),
  z.object({ name: z.literal('multitask') }),
]);

const intervention: z.ZodType<Intervention> = z.discriminatedUnion('action', [
  z.object({ action: z.literal('knock-out'), expert: z.string(), scope }),
  z.object({ action: z.literal('force'), expert: z.string(), scope }),
  z.object({ action: z.literal('tilt'), expert: z.string(), amount: z.number(), scope }),
]);

const headerSchema = z.object({
  format: z.literal('gander-trace'),
  version: z.literal(version),
  text: z.string(),
  modules: z.array(z.object({ path: z.string(), layer: z.int(), kind: z.string() })),
  experts: z.array(z.object({ id: z.string(), name: z.string() })),
  tokens: z.array(z.string()),
  topTokens: z.array(z.array(z.string())).exactOptional(),
  strategy,
  interventions: z.array(intervention),
  pool: z.object({ id: z.string(), name: z.string().exactOptional(), hash: z.string() }),
  tokenizer: z.object({ hash: z.string() }),
  versions: z.record(z.string(), z.string()),
  created: z.string(),
});

type Header = z.infer<typeof headerSchema>;

/**
 * The trace's bytes. A partial trace is cut to the tokens that are done; its text stays whole.
 * @throws GanderError `request-invalid` for one that could not be opened again
 */
export function encodeTrace(given: Trace): Uint8Array<ArrayBuffer> {
  const trace = finished(given);
  const excess = tooMany({ ...trace, tokens: trace.tokens.text });
  if (excess) throw unsaved(excess);
  const M = trace.modules.length;
  const T = trace.tokens.ids.length;
  const P = trace.predictions;
  const tensors: TensorInput[] = [];
  const add = (name: string, dtype: DType, shape: readonly number[], data: ArrayBufferView | undefined) => {
    if (data) tensors.push({ name, dtype, shape, data });
  };
  add('token_ids', 'I32', [T], trace.tokens.ids);
  add('token_start', 'I32', [T], trace.tokens.start);
  add('token_end', 'I32', [T], trace.tokens.end);
  add('affinity', 'F32', [M, T, trace.experts.length], trace.affinity);
  add('chosen', 'I16', [M, T, trace.k], trace.chosen);
  add('weight', 'F32', [M, T, trace.k], trace.weight);
  add('contribution', 'F32', [M, T, trace.k], trace.contribution);
  add('log_prob', 'F32', [T], trace.logProb);
  add('top_ids', 'I32', [T, P], trace.topIds);
  add('top_log_prob', 'F32', [T, P], trace.topLogProb);
  const { topTokens } = trace;
  const header: Header = {
    format: 'gander-trace',
    version,
    text: trace.text,
    modules: [...trace.modules],
    experts: [...trace.experts],
    tokens: [...trace.tokens.text],
    ...(topTokens && { topTokens: Array.from({ length: T }, (_, t) => topTokens.slice(t * P, (t + 1) * P)) }),
    strategy: trace.strategy,
    interventions: [...trace.interventions],
    pool: trace.pool,
    tokenizer: trace.tokenizer,
    versions: trace.versions,
    created: trace.created,
  };
  const bytes = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > traceLimits.bytes) throw unsaved(tooLarge(bytes));
  return encodeSafetensors(tensors, { [metadataKey]: JSON.stringify(header) });
}

function unsaved(why: string): GanderError {
  return new GanderError('request-invalid', `This trace could not be opened again: ${why}.`, 'Route a shorter text.');
}

/** For who reads a trace file: its size is known before its content. @throws GanderError `trace-invalid` */
export function checkTraceSize(bytes: number): void {
  if (bytes > traceLimits.bytes) throw invalid(tooLarge(bytes));
}

function tooLarge(bytes: number): string {
  return `it has ${bytesInWords(bytes)}, and at most ${bytesInWords(traceLimits.bytes)} can be shown`;
}

const axes = ['tokens', 'modules', 'experts', 'interventions', 'versions'] as const;

/** What there is more of than a view can show, in words. */
function tooMany(of: Partial<Record<(typeof axes)[number], unknown>>): string | undefined {
  for (const axis of axes) {
    const count = Object.keys(of[axis] ?? {}).length;
    if (count > traceLimits[axis]) return `it has ${count} ${axis}, and at most ${traceLimits[axis]} can be shown`;
  }
  return undefined;
}

/**
 * The trace that the bytes hold.
 * @throws GanderError `trace-invalid` (and what is wrong with it), `trace-newer`
 */
export function decodeTrace(bytes: Uint8Array): Trace {
  try {
    return decode(bytes);
  } catch (thrown) {
    if (thrown instanceof SafetensorsError) throw invalid(thrown.message, thrown);
    throw thrown;
  }
}

function decode(bytes: Uint8Array): Trace {
  checkTraceSize(bytes.byteLength);
  const prefix = prefixLength(bytes, bytes.byteLength);
  if (prefix > traceLimits.header)
    throw invalid(`its header has ${bytesInWords(prefix)}, and at most ${bytesInWords(traceLimits.header)} are read`);
  const container = parseHeader(bytes, bytes.byteLength);
  const header = readHeader(container);
  const tensors = new Tensors(container, bytes);
  const M = header.modules.length;
  const T = header.tokens.length;
  const N = header.experts.length;
  // Widths that only the tensors tell; a tensor that is there must agree with them.
  const width = (name: string, axis: number) => container.tensors.get(name)?.shape[axis] ?? 0;
  const K = width('chosen', 2);
  const P = width('top_ids', 1);

  const trace: Trace = {
    text: header.text,
    tokens: {
      ids: tensors.required('token_ids', 'I32', [T]),
      start: tensors.required('token_start', 'I32', [T]),
      end: tensors.required('token_end', 'I32', [T]),
      text: header.tokens,
    },
    done: T,
    modules: header.modules,
    experts: header.experts,
    k: K,
    predictions: P,
    chosen: tensors.required('chosen', 'I16', [M, T, K]),
    weight: tensors.required('weight', 'F32', [M, T, K]),
    ...defined({
      affinity: tensors.optional('affinity', 'F32', [M, T, N]),
      contribution: tensors.optional('contribution', 'F32', [M, T, K]),
      logProb: tensors.optional('log_prob', 'F32', [T]),
      topIds: tensors.optional('top_ids', 'I32', [T, P]),
      topLogProb: tensors.optional('top_log_prob', 'F32', [T, P]),
      topTokens: header.topTokens?.flat(),
    }),
    strategy: bounded(header.strategy, N),
    interventions: header.interventions,
    pool: { ...header.pool, name: header.pool.name ?? header.pool.id },
    tokenizer: header.tokenizer,
    versions: header.versions,
    created: header.created,
  };
  check(trace, header);
  return trace;
}

function readHeader({ metadata }: SafetensorsHeader): Header {
  const text = metadata.get(metadataKey);
  if (text === undefined) throw invalid(`it is a safetensors file without the entry "${metadataKey}"`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid('its header is not JSON', cause);
  }
  // Before the schema: a newer version may look quite different.
  const said = z.object({ version: z.number() }).safeParse(json);
  if (said.success && said.data.version > version) {
    throw new GanderError(
      'trace-newer',
      `This trace has format version ${said.data.version}; this Gander reads up to ${version}.`,
      'Update Gander to open it.',
    );
  }
  // Before the schema, which looks at each.
  const excess = typeof json === 'object' && json ? tooMany(json) : undefined;
  if (excess) throw invalid(excess);
  const parsed = headerSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw invalid(`its header is malformed: ${schemaProblem(parsed.error)}`);
}

class Tensors {
  constructor(
    private readonly container: SafetensorsHeader,
    private readonly bytes: Uint8Array,
  ) {}

  required<D extends DType>(name: string, dtype: D, shape: readonly number[]): ArrayOf<D> {
    const array = this.optional(name, dtype, shape);
    if (array === undefined) throw invalid(`the tensor "${name}" is missing`);
    return array;
  }

  optional<D extends DType>(name: string, dtype: D, shape: readonly number[]): ArrayOf<D> | undefined {
    const entry = this.container.tensors.get(name);
    if (!entry) return undefined;
    if (entry.dtype !== dtype || entry.shape.join() !== shape.join()) {
      throw invalid(`"${name}" is ${entry.dtype} [${entry.shape.join(', ')}], not ${dtype} [${shape.join(', ')}]`);
    }
    return tensorArray(dtype, this.bytes.subarray(entry.begin, entry.end));
  }
}

/** What later indexes into something must lie inside it. */
function check(trace: Trace, header: Header): void {
  const { start, end } = trace.tokens;
  const length = trace.text.length;
  // Where there is no token or no module, a width costs no byte of the file.
  if (trace.k > Math.max(1, trace.experts.length))
    throw invalid(`it chooses ${trace.k} of ${trace.experts.length} experts`);
  if (!start.every((s, t) => (s === -1 && end[t] === -1) || (s >= 0 && s <= end[t]! && end[t]! <= length))) {
    throw invalid('a token lies outside the text');
  }
  if (!trace.chosen.every((e) => e >= -1 && e < trace.experts.length)) throw invalid('a chosen expert does not exist');
  if ((trace.topIds === undefined) !== (trace.topLogProb === undefined)) {
    throw invalid('of "top_ids" and "top_log_prob" only one is there');
  }
  const rows = header.topTokens;
  if (rows && !(rows.length === header.tokens.length && rows.every((row) => row.length === trace.predictions))) {
    throw invalid('topTokens does not fit the tokens and predictions');
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

function invalid(what: string, cause?: unknown): GanderError {
  return new GanderError(
    'trace-invalid',
    `This is not a usable trace: ${what}.`,
    'Open a file that Gander saved, or route the text anew.',
    { cause },
  );
}
