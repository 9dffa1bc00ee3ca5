/** What vLLM and SGLang have in common: they say which experts were chosen, and nothing else about the routing. */
import { z } from 'zod';
import type { ServerInfo } from '../requests/api.js';
import type { Model } from '../import/model.js';
import { type Routing } from '../import/reader.js';
import { Unreadable } from '../import/unreadable.js';
import { routingOf } from '../import/readers/routedExperts.js';
import { traceOf } from '../import/trace.js';
import { importLimits } from '../checks/limits.js';
import { NpyError, readNpy } from '../formats/npy.js';
import { tensorArray } from '../formats/safetensors.js';
import { abilities, expertsElsewhere, type Warning } from '../requests/description.js';
import { layerExperts } from '../trace/model/layerExperts.js';
import type { Trace } from '../trace/model/trace.js';
import { blank, sequenceColumns } from '../trace/model/columns.js';
import type { Faults } from './faults.js';
import { type Places, placesAfterFirst, placesOfSpelling } from './places.js';
import type { Card, Reach } from './server.js';
import { encryptionWarnings } from '../source/serverAddress.js';

/** How many of the likeliest next tokens are requested. */
export const predictions = 5;

/** Natural; 0 is certain. Rounding does not bring it above 0, because the largest logit is itself in the sum. */
export const logProbability = z.number().max(0);

/** Chosen experts: [rows, layers, k], row-major. A row is a token that was run. */
export interface Rows {
  readonly rows: number;
  readonly layers: number;
  readonly k: number;
  readonly numbers: ArrayLike<number | bigint>;
}

/** One token, as a server describes it. */
export interface RanToken {
  readonly id: number;
  readonly text?: string | undefined;
  /** Given the tokens before it. */
  readonly logProb?: number | undefined;
  /** The likeliest tokens in its place, best first. */
  readonly instead?: readonly Alternative[];
}

export interface Alternative {
  readonly id: number;
  readonly logProb: number;
  readonly text: string;
}

/** What a server says about one run. */
export interface Ran {
  readonly text: string;
  readonly tokens: readonly RanToken[];
  readonly places: Places | undefined;
  readonly rows: Rows;
  /** Which layers have experts, if the server says so. */
  readonly layers?: Pick<Model, 'sparse' | 'layers'>;
  /** Predictions after the last token. */
  readonly next?: readonly Alternative[];
}

/** @throws GanderError `server-invalid` */
export function traceOfRun(ran: Ran, { name, engine, versions }: ServerInfo, { http, model }: Reach): Trace {
  return readable(http.faults, () => {
    const { rows, layers, k, numbers } = ran.rows;
    const found: Routing = {
      ...routingOf([rows, layers, k], numbers, ran.layers ?? model),
      kind: engine,
      name,
    };
    const { trace } = traceOf(name, found, { tokens: tokensOf(ran), text: ran.text, warnings: [] }, model);
    return {
      ...trace,
      source: { ...trace.source, versions: { ...trace.source.versions, ...versions } },
      sequences: trace.sequences.map((sequence) => ({ ...sequence, ...columnsOf(ran) })),
    };
  });
}

/** The first `count` rows. */
export function firstRows({ rows, layers, k, numbers }: Rows, count: number): Rows {
  const most = Math.min(rows, count) * layers * k;
  return {
    rows: Math.min(rows, count),
    layers,
    k,
    numbers: ArrayBuffer.isView(numbers)
      ? (numbers as Int32Array).subarray(0, most)
      : Array.from(numbers).slice(0, most),
  };
}

/** Reads a .npy in base64. @throws GanderError `server-invalid` */
export function npyRows(encoded: string, faults: Faults): Rows {
  try {
    const { dtype, shape, data } = readNpy(Buffer.from(encoded, 'base64'));
    const [rows = 0, layers = 0, k = 0] = shape;
    if (shape.length !== 3) throw faults.odd(`its routed experts have the shape (${shape.join(', ')})`);
    if (!/^[UI]/.test(dtype)) throw faults.odd(`its routed experts are ${dtype}, not whole numbers`);
    return { rows, layers, k, numbers: tensorArray(dtype, data) };
  } catch (thrown) {
    if (thrown instanceof NpyError) throw faults.odd(`its routed experts cannot be read: ${thrown.message}`, thrown);
    throw thrown;
  }
}

/** Reads nested lists. @throws GanderError `server-invalid` */
export function listRows(lists: readonly unknown[], faults: Faults): Rows {
  const odd = () => faults.odd('its routed experts are not lists of (tokens, layers, k)');
  const width = (list: unknown) => (Array.isArray(list) ? list.length : 0);
  const layers = width(lists[0]);
  const k = width((lists[0] as unknown[] | undefined)?.[0]);
  if (lists.length * layers * k > importLimits.choices) throw faults.odd('it lists more experts than can be shown');
  const numbers = new Int32Array(lists.length * layers * k);
  let at = 0;
  for (const row of lists) {
    if (width(row) !== layers) throw odd();
    for (const cell of row as unknown[]) {
      if (width(cell) !== k) throw odd();
      for (const expert of cell as unknown[]) {
        if (!Number.isInteger(expert)) throw odd();
        numbers[at++] = Math.max(-2, Math.min(expert as number, 2 ** 30));
      }
    }
  }
  return { rows: lists.length, layers, k, numbers };
}

/** Reads int32 numbers, little-endian, in base64. @throws GanderError `server-invalid` */
export function int32Of(encoded: string, faults: Faults): Int32Array {
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.byteLength % 4 !== 0) throw faults.odd('its expert ids are not int32 numbers');
  return tensorArray('I32', bytes);
}

/** The description of a server that says only which experts were chosen. */
export function choicesInfo(
  { engine, versions }: Pick<ServerInfo, 'engine' | 'versions'>,
  { id, tokens }: Card,
  { http, model }: Reach,
): ServerInfo {
  const { address } = http.faults;
  const experts = model?.experts;
  const unchanged = { reason: 'The server does not let its routers be changed.' };
  const sets =
    model?.sparse && experts !== undefined
      ? model.sparse.map((layer) => ({ scope: 'layer' as const, experts: layerExperts(layer, experts) }))
      : undefined;
  return {
    kind: 'server',
    engine,
    address,
    versions,
    name: id,
    can: {
      ...abilities({
        route: true,
        stream: { reason: 'The server says which experts it used only when it is done.' },
        generate: true,
        whatIf: unchanged,
        attribute: unchanged,
        similarity: expertsElsewhere,
      }),
      strategies: [],
    },
    experts: [],
    ...(sets && { expertSets: sets }),
    // One token is generated, so that the whole text is run.
    limits: { ...(tokens !== undefined && { tokens: tokens - 1 }), ...(model?.k !== undefined && { k: model.k }) },
    warnings: [...encryptionWarnings(address), ...(sets ? [] : [seenOnly])],
  };
}

const seenOnly: Warning = {
  code: 'experts-unknown',
  text: 'The server does not say how many experts a layer has or which layers have them: Gander shows the experts that it has seen, and counts layers from 0. The model’s config.json says both: Connect to Engine… asks for it, and the command line takes it as --config.',
};

/** Turns an error about an answer that makes no trace into one that names the server. */
function readable<T>(faults: Faults, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof Unreadable)) throw thrown;
    throw faults.odd(thrown.what, thrown, 'Name the config.json of the model that it runs, or see docs/engines.md.');
  }
}

/** The places of tokens by their spelling. vLLM does not spell the first token of a text. */
export function placesOfTokens(tokens: readonly RanToken[], text: string): Places | undefined {
  const [first, ...others] = tokens.map(({ text: own }) => own);
  if (!others.every((own) => own !== undefined)) return undefined;
  return first === undefined ? placesAfterFirst(others, text) : placesOfSpelling([first, ...others], text);
}

function tokensOf({ text, tokens, places }: Ran) {
  const spelled = tokens.map(({ id, text: own }, t) => own ?? (coveredAt(text, places, t) || `#${id}`));
  const special = places && Uint8Array.from(places.start, (start) => (start < 0 ? 1 : 0));
  return {
    count: tokens.length,
    ids: Int32Array.from(tokens, ({ id }) => id),
    ...places,
    ...(special && { special }),
    ...((places ?? tokens.some(({ text: own }) => own !== undefined)) && { text: spelled }),
  };
}

function coveredAt(text: string, places: Places | undefined, t: number): string {
  const start = places?.start[t] ?? -1;
  return start < 0 ? '' : text.slice(start, places!.end[t]);
}

/** Log-probabilities and predictions. A server lists alternatives with the token that came, a trace with the token before. */
function columnsOf({ tokens, next }: Ran) {
  const T = tokens.length;
  const logProb = blank(sequenceColumns.logProb, T);
  tokens.forEach((token, t) => (logProb[t] = t === 0 ? NaN : (token.logProb ?? NaN)));
  const after = tokens.map((_, t) => (t + 1 < T ? tokens[t + 1]!.instead : next) ?? []);
  const P = Math.min(predictions, Math.max(0, ...after.map(({ length }) => length)));
  const topIds = blank(sequenceColumns.topIds, T * P);
  const topLogProb = blank(sequenceColumns.topLogProb, T * P);
  const topTokens = new Array<string>(T * P).fill('');
  after.forEach((list, t) =>
    list.slice(0, P).forEach(({ id, logProb: p, text }, i) => {
      topIds[t * P + i] = id;
      topLogProb[t * P + i] = p;
      topTokens[t * P + i] = text;
    }),
  );
  return {
    ...(tokens.some((token) => token.logProb !== undefined) && { logProb }),
    ...(P > 0 && { predictions: P, topIds, topLogProb, topTokens }),
  };
}
