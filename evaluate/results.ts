/**
 * Measurements, one JSON line each, so that an interrupted evaluation continues where it stopped. A line is keyed by the
 * content of the pool and the document, so a changed pool or text is measured again.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Score } from '../src/requests/api.js';
import { GanderError } from '../src/errors/errors.js';
import { presentKey } from './strategies.js';

/** Raised when the meaning of a line changes. */
const version = 1;

const counts = z.array(z.number());

/** What is kept of the reference strategy's trace of a document; [N] experts, [L] layers, [K] kinds of modules. */
const explained = z.object({
  experts: z.array(z.string()),
  layers: counts,
  kinds: z.array(z.string()),
  tokens: z.number(),
  /** [N] choices. */
  counts,
  /** Cells (token × module) and choices. */
  cells: z.number(),
  choices: z.number(),
  /** [L][N] choices. */
  byLayer: z.array(counts),
  /** [L][K] sums of the normalised entropy, and the cells summed. */
  entropy: z.array(counts),
  entropyCells: z.array(counts),
  /** By region name. */
  regions: z.record(z.string(), z.object({ tokens: z.number(), counts, choices: z.number() })),
  versions: z.record(z.string(), z.string()),
});

export type Explained = z.infer<typeof explained>;

const line = z.object({
  version: z.literal(version),
  pool: z.string(),
  document: z.string(),
  strategy: z.string(),
  score: z.object({ bits: z.number(), bytes: z.number(), tokens: z.number() }).exactOptional(),
  explained: explained.exactOptional(),
});

/** The fields of an evaluation.json that are read. */
const earlier = z.object({
  pool: z.object({ hash: z.string() }),
  results: z.array(
    z.object({ hash: z.string(), bytes: z.number(), tokens: z.number(), bits: z.record(z.string(), z.number()) }),
  ),
});

export class Results {
  readonly #file: string | undefined;
  readonly #pool: string;
  readonly #scores = new Map<string, Score>();
  readonly #explained = new Map<string, Explained>();

  /** @param file read if it exists, and appended to; undefined keeps results in memory only */
  constructor(pool: string, file?: string) {
    this.#pool = pool;
    this.#file = file;
    if (file === undefined) return;
    mkdirSync(path.dirname(file), { recursive: true });
    if (!existsSync(file)) return;
    const content = readFileSync(file, 'utf8');
    for (const row of content.split('\n')) this.#take(row);
    // If a crash cut the last line short, the next must not be appended to it.
    if (content !== '' && !content.endsWith('\n')) appendFileSync(file, '\n');
  }

  #take(row: string): void {
    let json: unknown;
    try {
      json = JSON.parse(row);
    } catch {
      return; // cut short, so it is measured again
    }
    const parsed = line.safeParse(json);
    if (!parsed.success || parsed.data.pool !== this.#pool) return;
    const { document, score, explained } = parsed.data;
    const strategy = presentKey(parsed.data.strategy);
    if (score) this.#scores.set(key(document, strategy), score);
    if (explained) this.#explained.set(key(document, strategy), explained);
  }

  /**
   * Takes over the scores of an evaluation.json of the same pool, to continue where there is no .cache.
   * @param alike hash of a pool that gives the same numbers with the strategies that it has
   * @returns how many
   * @throws GanderError `request-invalid`
   */
  takeOver(json: string, alike: string): number {
    const { pool, results } = parseEarlier(json);
    if (![this.#pool, alike].includes(pool.hash)) return 0;
    let taken = 0;
    for (const { hash, bytes, tokens, bits: ofAll } of results) {
      for (const [saved, bits] of Object.entries(ofAll)) {
        const strategy = presentKey(saved);
        if (this.score(hash, strategy)) continue;
        this.#scores.set(key(hash, strategy), { bits, bytes, tokens });
        taken++;
      }
    }
    return taken;
  }

  score(document: string, strategy: string): Score | undefined {
    return this.#scores.get(key(document, strategy));
  }

  explained(document: string, strategy: string): Explained | undefined {
    return this.#explained.get(key(document, strategy));
  }

  addScore(document: string, strategy: string, { bits, bytes, tokens }: Score): void {
    const score = { bits, bytes, tokens };
    this.#scores.set(key(document, strategy), score);
    this.#append({ document, strategy, score });
  }

  addExplained(document: string, strategy: string, explained: Explained): void {
    this.#explained.set(key(document, strategy), explained);
    this.#append({ document, strategy, explained });
  }

  /** Written immediately and in one piece, so that the line survives however the process ends. */
  #append(entry: Omit<z.infer<typeof line>, 'version' | 'pool'>): void {
    if (this.#file === undefined) return;
    appendFileSync(this.#file, `${JSON.stringify({ version, pool: this.#pool, ...entry })}\n`);
  }
}

function parseEarlier(json: string): z.infer<typeof earlier> {
  try {
    return earlier.parse(JSON.parse(json));
  } catch (cause) {
    throw new GanderError('request-invalid', 'The earlier evaluation.json is damaged.', 'Run without --continue.', {
      cause,
    });
  }
}

const key = (document: string, strategy: string) => `${document} ${strategy}`;
