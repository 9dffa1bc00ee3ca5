/** The progress of an atlas, in a file beside it: a run that was stopped continues from here, with the same result. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { GanderError } from '../../errors/errors.js';
import { type AtlasRun, type LeftOut, leftOutSchema, runSchema } from '../about.js';
import { type Ablated, ablatedSchema, type Place } from '../ablation.js';
import { pack, unpack } from '../pack.js';
import { Sums } from '../sums.js';
import { fingerprintOf } from './folder.js';
import { writeError } from '../../files/writeError.js';

const schema = z.object({
  journal: z.literal(1),
  /** What was asked for; only a run that asks for the same continues from this journal. */
  asked: z.string(),
  run: runSchema.exactOptional(),
  sums: z
    .unknown()
    .transform((state) => Sums.load(state))
    .exactOptional(),
  leftOut: z.array(leftOutSchema),
  ablated: z.array(ablatedSchema).default([]),
});

/** Saving is due when the work since the last save took this many times as long as saving. */
const rarely = 50;

function keyOf({ unit, kind, document, sequence, token }: Place): string {
  return JSON.stringify([unit, kind, document, sequence, token]);
}

type Saved = z.infer<typeof schema>;

/** Undefined if there is no journal. @throws GanderError `io` */
function savedIn(file: string): Saved | undefined {
  try {
    return schema.parse(unpack(readFileSync(file)));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new GanderError('io', `${file} cannot be continued.`, 'Remove it to start again.', { cause });
  }
}

const fileOf = (target: string) => `${target}.journal`;

/** Removes what a run has left that was killed when it had just written the atlas. A journal of other documents stays. */
export function forgetWritten(target: string, fingerprint: string): void {
  const file = fileOf(target);
  const saved = savedIn(file);
  if (saved?.sums && fingerprintOf(saved.sums.figures.documents.rows) === fingerprint) rmSync(file, { force: true });
}

export class Journal {
  readonly file: string;
  run: AtlasRun | undefined;
  sums: Sums | undefined;
  readonly leftOut: LeftOut[] = [];
  readonly ablated: Ablated[] = [];
  readonly #left = new Set<string>();
  readonly #places = new Set<string>();
  #isSaved = true;
  #savedAt = 0;
  #saving = 0;

  /** @throws GanderError `request-invalid` if the journal belongs to another run, `io` */
  constructor(
    target: string,
    private readonly asked: string,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.file = fileOf(target);
    const saved = this.#read();
    if (!saved) return;
    this.run = saved.run;
    this.sums = saved.sums;
    for (const left of saved.leftOut) this.leaveOut(left);
    for (const ablated of saved.ablated) this.addAblated(ablated);
    this.#isSaved = true;
  }

  /** Whether a document is done or left out. */
  has(id: string): boolean {
    return this.#left.has(id) || this.sums?.figures.documents.has(id) === true;
  }

  get documents(): number {
    return this.sums?.figures.documents.count ?? 0;
  }

  add(document: Sums): void {
    this.sums ??= new Sums(document.layout);
    this.sums.merge(document);
    this.#isSaved = false;
  }

  leaveOut(left: LeftOut): void {
    this.leftOut.push(left);
    this.#left.add(left.document);
    this.#isSaved = false;
  }

  addAblated(ablated: Ablated): void {
    this.ablated.push(ablated);
    this.#places.add(keyOf(ablated));
    this.#isSaved = false;
  }

  hasAblated(place: Place): boolean {
    return this.#places.has(keyOf(place));
  }

  saveIfDue(): void {
    if (this.now() - this.#savedAt >= rarely * this.#saving) this.save();
  }

  /** Writes beside the file first and then renames. @throws GanderError `io` */
  save(): void {
    if (this.#isSaved) return;
    const began = this.now();
    const { asked, run, sums, leftOut, ablated } = this;
    try {
      writeFileSync(`${this.file}.new`, pack({ journal: 1, asked, run, sums: sums?.state, leftOut, ablated }));
      renameSync(`${this.file}.new`, this.file);
    } catch (cause) {
      rmSync(`${this.file}.new`, { force: true });
      throw writeError(this.file, cause);
    }
    this.#isSaved = true;
    this.#savedAt = this.now();
    this.#saving = this.#savedAt - began;
  }

  remove(): void {
    rmSync(this.file, { force: true });
    rmSync(`${this.file}.new`, { force: true });
  }

  #read(): Saved | undefined {
    const saved = savedIn(this.file);
    if (!saved || saved.asked === this.asked) return saved;
    throw new GanderError(
      'request-invalid',
      `${this.file} belongs to a run with other options.`,
      'Use the options of that run, or remove the file to start again.',
    );
  }
}
