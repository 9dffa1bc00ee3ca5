import { lstatSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { bytesInWords } from '../formats/bytes.js';
import { type ErrorData, GanderError } from '../errors/errors.js';
import type { Warning } from '../requests/description.js';
import { expertFiles } from './expertFiles.js';
import { poolLimits, traceLimits } from '../checks/limits.js';
import { type Adapter, type Vectors, readAdapter, readVectors } from './adapter.js';
import { checkBaseSizes } from './baseFiles.js';
import { type Card, readCard } from './card.js';
import { GeneralKnowledge, unusable } from './general.js';
import {
  type JointRouter,
  type Manifest,
  type PairFiles,
  readContextLength,
  readManifest,
  unnamedContext,
  type XLoraEntry,
} from './manifest.js';
import { readJointRouter } from './jointRouter.js';
import { fileInside, resolveInside } from './paths.js';
import { type XLora, readXLora } from './xlora.js';

export interface PoolExpert {
  readonly id: string;
  readonly name: string;
  readonly card: Card;
  readonly cardFile?: string;
  readonly folder: string;
  /** Size of all its files. */
  readonly bytes: number;
  readonly adapter: Adapter;
  /** Empty for an adapter that came without a gate. */
  readonly gates: Vectors;
  /** Mean inputs, for average activation. */
  readonly activations?: Vectors;
  /** Its rows of the jointly trained router; scores are their products with u / std(u). */
  readonly routerRows?: Vectors;
  readonly hasExamples: boolean;
}

/** The general adapters, whose means are subtracted from every expert's matrices. */
export interface General {
  /** Absolute, by name in code point order. */
  readonly folders: readonly string[];
  readonly knowledge: GeneralKnowledge;
}

/** A pool as its files' headers describe it; no large tensor has been read. */
export interface Pool {
  readonly folder: string;
  readonly manifest: Manifest;
  /** In tokens; at most what a trace can have. */
  readonly contextLength: number;
  /** Absolute. */
  readonly base: { readonly model: string | PairFiles; readonly tokenizer: string };
  readonly retriever?: { readonly model: string; readonly tokenizer: string };
  /** By id, in code point order: the expert axis. */
  readonly experts: readonly PoolExpert[];
  /** Already subtracted from `experts`. */
  readonly general?: General;
  readonly multitask?: PoolExpert;
  /** The file of the jointly trained router. */
  readonly router?: string;
  readonly xlora?: XLora;
  /** Experts that cannot be used, by id. */
  readonly leftOut: ReadonlyMap<string, GanderError>;
  /** What was left out and why, and anything else a user should know. */
  readonly warnings: readonly Warning[];
  /** Absolute folder of an expert from elsewhere that is treated as one of the pool's, to try it. */
  readonly tried?: string;
  /** Changes when a file of the pool does (names, sizes, times). */
  readonly signature: string;
}

/**
 * Reads a pool folder (docs/pool-format.md). An expert that cannot be used is left out with a warning; a pool that cannot
 * be used is an error.
 *
 * @param folder absolute
 * @throws GanderError `pool-missing`, `pool-invalid`, `pool-unsafe-path`
 */
export function readPool(folder: string): Pool {
  return typed(() => {
    const signature = poolSignature(folder);
    const manifest = readManifest(folder);
    const told = readContextLength(folder, manifest.base.config);
    const base = {
      model: modelInside(folder, manifest.base.model),
      tokenizer: fileInside(folder, manifest.base.tokenizer),
    };
    const warnings: Warning[] = [];
    // A T5's positions are relative, so it has no maximum length to declare.
    if (told === undefined && typeof base.model === 'string')
      warnings.push({
        code: 'context-unknown',
        text: `${manifest.base.config} declares no context length: ${unnamedContext} tokens are used.`,
      });
    const general = manifest.general === undefined ? undefined : readGeneral(folder, manifest.general);
    const leftOut = new Map<string, GanderError>();
    const experts: PoolExpert[] = [];
    for (const id of foldersIn(folder, manifest.experts, 'experts')) {
      try {
        const expert = readExpert(resolveInside(folder, path.join(manifest.experts, id)), id, general);
        experts.push(expert);
      } catch (error) {
        const why = GanderError.from(error);
        leftOut.set(id, why);
        warnings.push(expertLeftOut(id, why));
      }
    }
    if (experts.length === 0) {
      throw new GanderError(
        'pool-invalid',
        ['The pool has no usable expert.', ...warnings.slice(0, 5).map(({ text }) => text)].join(' '),
        'Add an expert folder, or repair one.',
      );
    }
    warnings.push(...experts.flatMap(strayVectors), ...ungated(experts));
    const optional = <T>(what: string, read: (() => T) | undefined) => orLeftOut(what, read, warnings);
    const multitask = optional(
      'The multitask adapter',
      manifest.multitask === undefined
        ? undefined
        : () => readExpert(resolveInside(folder, manifest.multitask!), 'multitask'),
    );
    const retriever = optional(
      'The retriever',
      manifest.retriever &&
        (() => ({
          model: fileInside(folder, manifest.retriever!.model),
          tokenizer: fileInside(folder, manifest.retriever!.tokenizer),
        })),
    );
    const { router } = manifest;
    const joint = optional('The jointly trained router', router && (() => withRouterRows(experts, folder, router)));
    const { xlora: entry } = manifest;
    const classifier = entry && (() => xloraOf(folder, entry, base, experts));
    // With gates, the pool is routed without it, too; without, it would be another model.
    const isGated = experts.some(({ gates }) => gates.size > 0);
    const xlora = isGated ? optional('The X-LoRA classifier', classifier) : classifier?.();
    checkSize(folder, manifest, base, { experts, multitask, general, xlora });
    return {
      folder,
      manifest,
      contextLength: Math.min(told ?? unnamedContext, traceLimits.tokens),
      base,
      experts: apart(joint ?? experts),
      leftOut,
      warnings,
      signature,
      ...(general && { general }),
      ...(multitask && { multitask }),
      ...(joint && router && { router: fileInside(folder, router.weights) }),
      ...(retriever && { retriever }),
      ...(xlora && { xlora }),
    };
  });
}

/** The pool with one more expert, on trial. @param folder absolute @throws GanderError as `readExpertFolder` */
export function withTried(pool: Pool, folder: string): Pool {
  const signature = `${pool.signature}\n${poolSignature(folder)}`;
  const experts = [...pool.experts, readExpertFolder(folder, pool.general)].sort((a, b) => byCodePoint(a.id, b.id));
  return { ...pool, experts: apart(experts), tried: folder, signature };
}

/** Whether its files are unchanged since they were read. */
export function isAsRead({ folder, tried, signature }: Pool): boolean {
  const now = tried === undefined ? [folder] : [folder, tried];
  return now.map(poolSignature).join('\n') === signature;
}

/** What is read; if it cannot be used, a warning instead. */
function orLeftOut<T>(what: string, read: (() => T) | undefined, warnings: Warning[]): T | undefined {
  try {
    return read?.();
  } catch (error) {
    warnings.push(partLeftOut(what, GanderError.from(error)));
    return undefined;
  }
}

/** @throws GanderError `pool-invalid` for a classifier, or an adapter of it, that cannot be used */
function xloraOf(folder: string, entry: XLoraEntry, base: Pool['base'], experts: readonly PoolExpert[]): XLora {
  if (typeof base.model !== 'string')
    throw new GanderError(
      'pool-invalid',
      'PEFT has no X-LoRA for encoder-decoders, so this pool cannot have a classifier.',
      'Remove "xlora" from pool.json.',
    );
  return readXLora(folder, entry, new Map(experts.map(({ id, adapter }) => [id, adapter])));
}

/** The experts with their rows of the jointly trained router. @throws GanderError `pool-invalid` if a row has the wrong width */
function withRouterRows(experts: readonly PoolExpert[], folder: string, router: JointRouter): PoolExpert[] {
  const rows = readJointRouter(folder, router);
  return experts.map((expert) => {
    const routerRows = rows.get(expert.id);
    for (const [module, { length }] of routerRows ?? []) {
      const dIn = expert.adapter.modules.get(module)?.dIn ?? length;
      if (dIn !== length)
        throw new GanderError(
          'pool-invalid',
          `${router.weights}: ${module} has rows of ${length} numbers, the adapter of "${expert.id}" takes ${dIn}`,
          'Train the router again.',
        );
    }
    return { ...expert, ...(routerRows && { routerRows }) };
  });
}

function modelInside(folder: string, model: string | PairFiles): string | PairFiles {
  if (typeof model === 'string') return fileInside(folder, model);
  const { encoder, decoder, decoderWithPast } = model;
  return {
    encoder: fileInside(folder, encoder),
    decoder: fileInside(folder, decoder),
    decoderWithPast: fileInside(folder, decoderWithPast),
  };
}

/** A base's model files: one, or the encoder's and the decoders'. */
export function modelFiles({ model }: Pick<Pool['base'], 'model'>): readonly string[] {
  return typeof model === 'string' ? [model] : [model.encoder, model.decoder, model.decoderWithPast];
}

/** The model file of a causal base. @throws GanderError `pool-invalid` for an encoder-decoder */
export function causalModel({ base: { model } }: Pool): string {
  if (typeof model === 'string') return model;
  throw new GanderError(
    'pool-invalid',
    "The pool's base is an encoder-decoder.",
    'Choose a pool whose base is a causal language model.',
  );
}

/** One sentence on what was left out and why, without the remedy. */
export function leftOutText(what: string, { message }: ErrorData): string {
  return `${what} is left out: ${/[.!?]$/.test(message) ? message : `${message}.`}`;
}

export function expertLeftOut(id: string, why: ErrorData): Warning {
  return { code: 'expert-left-out', expert: id, text: `${leftOutText(`Expert "${id}"`, why)} ${why.remedy}` };
}

/** A warning for an optional part of the pool. */
export function partLeftOut(what: string, why: ErrorData): Warning {
  return { code: 'part-left-out', text: `${leftOutText(what, why)} ${why.remedy}` };
}

/** Warns about gates and mean inputs that name no module of the expert: it would never be chosen, and nobody would know why. */
function strayVectors({ id, adapter, gates, activations }: PoolExpert): Warning[] {
  const files = { 'gate.safetensors': gates, 'activation.safetensors': activations };
  return Object.entries(files).flatMap(([file, vectors]) => {
    const stray = [...(vectors?.keys() ?? [])].filter((module) => !adapter.modules.has(module));
    if (stray.length === 0) return [];
    const shown = stray.slice(0, 3).map((module) => `"${module.slice(0, 120)}"`);
    const more = stray.length > shown.length ? ` and ${stray.length - shown.length} more` : '';
    const text = `Expert "${id}": ${stray.length} of ${vectors!.size} vectors in ${file} are for modules that it does not adapt: ${shown.join(', ')}${more}.`;
    return [{ code: 'vectors-unused', expert: id, module: stray[0]!, text }];
  });
}

/** Warns about experts without a gate among others that have one: where gates decide, they are never chosen. */
function ungated(experts: readonly PoolExpert[]): Warning[] {
  const without = experts.filter(({ gates }) => gates.size === 0);
  if (without.length === experts.length) return [];
  return without.map(({ id }) => ({
    code: 'gate-missing',
    expert: id,
    text: `Expert "${id}" has no gate.safetensors: PHATGOOSE never chooses it, Arrow and the strategies with fixed weights do.`,
  }));
}

/** Adds up file sizes before anything is read: all that will be hashed later counts. */
function checkSize(
  folder: string,
  { retriever }: Manifest,
  base: Pool['base'],
  {
    experts,
    multitask,
    general,
    xlora,
  }: Pick<Pool, 'experts'> & {
    [P in 'multitask' | 'general' | 'xlora']: Pool[P] | undefined;
  },
): void {
  const adapters = [...experts, ...(multitask ? [multitask] : [])].map((expert) => expert.folder);
  const models = modelFiles(base);
  for (const model of models) checkBaseSizes({ model, tokenizer: base.tokenizer });
  const files = [
    // External data is in the model's folder, under any name.
    ...[...new Set(models.map((model) => path.dirname(model)))].flatMap((beside) =>
      readdirSync(beside).map((name) => path.join(beside, name)),
    ),
    base.tokenizer,
    ...(xlora?.files ?? []),
    ...(retriever ? [retriever.model, retriever.tokenizer] : []).map((name) => path.join(folder, name)),
  ];
  const bytes = [...files.map(sizeOf), ...[...adapters, ...(general?.folders ?? [])].map(readBytes)].reduce(
    (a, b) => a + b,
    0,
  );
  if (bytes > poolLimits.bytes) {
    throw new GanderError(
      'pool-invalid',
      `The pool has ${bytesInWords(bytes)}; at most ${bytesInWords(poolLimits.bytes)} are read.`,
      'Use a smaller base model, or split the pool.',
    );
  }
}

/** Size of a file, 0 if there is none; a link counts as its target. */
function sizeOf(file: string): number {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : 0;
}

/** Size of those of an expert's files that are read. */
export function readBytes(folder: string): number {
  return expertFiles.reduce((sum, name) => sum + sizeOf(path.join(folder, name)), 0);
}

/** Adds the folder's name to experts that share a name. */
function apart(experts: readonly PoolExpert[]): PoolExpert[] {
  const shared = (name: string) => experts.filter((expert) => expert.name === name).length > 1;
  return experts.map((expert) =>
    shared(expert.name) && expert.name !== expert.id ? { ...expert, name: `${expert.name} (${expert.id})` } : expert,
  );
}

/** Names, sizes and times of a pool's files: cheap to compute, different after any change. */
export function poolSignature(folder: string): string {
  const lines: string[] = [];
  const visit = (relative: string, depth: number): void => {
    for (const entry of readdirSync(path.join(folder, relative), { withFileTypes: true })) {
      const name = path.join(relative, entry.name);
      if (entry.isDirectory() && depth < 3) visit(name, depth + 1);
      else {
        const stat = lstatSync(path.join(folder, name), { throwIfNoEntry: false });
        if (stat) lines.push(`${name}\t${stat.size}\t${stat.mtimeMs}`);
      }
      if (lines.length > 40 * poolLimits.experts)
        throw new GanderError(
          'pool-invalid',
          'The pool folder contains too many files.',
          'Choose the folder that contains pool.json.',
        );
    }
  };
  return typed(() => {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw new GanderError(
        'pool-missing',
        `There is no folder ${folder}.`,
        'Choose the folder that contains pool.json.',
      );
    }
    visit('', 0);
    return lines.sort().join('\n');
  });
}

function foldersIn(folder: string, relative: string, what: string): string[] {
  const ids = readdirSync(resolveInside(folder, relative), { withFileTypes: true })
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map((entry) => entry.name);
  if (ids.length > poolLimits.experts)
    throw new GanderError('pool-invalid', `${ids.length} ${what} are more than a pool can have.`, 'Split the pool.');
  return ids.sort(byCodePoint);
}

/** @throws GanderError `pool-invalid` if one of them cannot be used, or there is none */
function readGeneral(folder: string, relative: string): General {
  const ids = foldersIn(folder, relative, 'general adapters');
  if (ids.length === 0)
    throw new GanderError(
      'pool-invalid',
      `"${relative}" contains no general adapter.`,
      'Add one, or remove "general" from pool.json.',
    );
  const adapters = ids.map((id) => {
    try {
      const own = resolveInside(folder, path.join(relative, id));
      checkAdapterSize(own);
      return { id, folder: own, adapter: readAdapter(own) };
    } catch (error) {
      throw unusable(id, GanderError.from(error).message.replace(/\.$/, ''));
    }
  });
  return {
    folders: adapters.map((one) => one.folder),
    knowledge: new GeneralKnowledge(new Map(adapters.map(({ id, adapter }) => [id, adapter]))),
  };
}

/** Not by UTF-16 unit, which would sort an emoji before U+FFFD, and not by locale, which differs between machines. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * Reads an expert's folder, in a pool or not.
 *
 * @param general adapters of the pool that it is in or may come into
 * @throws GanderError `expert-invalid`, `pool-invalid`, `pool-unsafe-path`, `io`
 */
export function readExpertFolder(folder: string, general: General | undefined): PoolExpert {
  return typed(() => readExpert(folder, path.basename(folder), general));
}

function checkAdapterSize(folder: string): void {
  const size = readBytes(folder);
  if (size > poolLimits.expertBytes)
    throw new GanderError(
      'expert-invalid',
      `its files have ${bytesInWords(size)}; at most ${bytesInWords(poolLimits.expertBytes)} are read`,
      'Ask the contributor for a smaller adapter, or remove the folder.',
    );
}

function readExpert(folder: string, id: string, general?: General): PoolExpert {
  const has = (file: string) => lstatSync(path.join(folder, file), { throwIfNoEntry: false }) !== undefined;
  checkAdapterSize(folder);
  const own = readAdapter(folder);
  const adapter = general ? general.knowledge.subtractedFrom(own) : own;
  const gates: Vectors = has('gate.safetensors') ? readVectors(folder, 'gate.safetensors') : new Map();
  const activations = has('activation.safetensors') ? readVectors(folder, 'activation.safetensors') : undefined;
  for (const [what, vectors] of [
    ['gate', gates],
    ['activation', activations],
  ] as const) {
    for (const [module, { length }] of vectors ?? []) {
      const dIn = adapter.modules.get(module)?.dIn;
      if (dIn !== undefined && dIn !== length) {
        throw new GanderError(
          'expert-invalid',
          `${what}.safetensors: ${module} has ${length} numbers, its adapter takes ${dIn}`,
          'Train the gate again.',
        );
      }
    }
  }
  const card = has('README.md') ? readCard(fileInside(folder, 'README.md')) : {};
  const bytes = readdirSync(folder).reduce((sum, name) => sum + lstatSync(path.join(folder, name)).size, 0);
  return {
    id,
    name: card.name?.length ? card.name : id,
    card,
    folder,
    bytes,
    adapter,
    gates,
    hasExamples: has('examples.safetensors'),
    ...(has('README.md') && { cardFile: path.join(folder, 'README.md') }),
    ...(activations && { activations }),
  };
}

/** Turns file system errors into `io`, so that they are not reported as bugs. */
function typed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof GanderError) throw error;
    if (error instanceof Error && 'code' in error) {
      throw new GanderError(
        'io',
        `The pool cannot be read: ${error.message}`,
        'Check the folder and its permissions.',
        { cause: error },
      );
    }
    throw error;
  }
}
