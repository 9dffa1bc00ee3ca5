/** What is known about the cards of this machine: found by a try, kept until something that it depends on changes. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { isNumber, isObject } from '../checks/plain.js';
import { GanderError } from '../errors/errors.js';
import type { Card, Device, DeviceUse, Outcome, Subject, Tried } from '../requests/device.js';
import { fastest } from '../requests/device.js';
import type { Block, Trace } from '../trace/model/trace.js';

/** A file for each model and card: what changes takes the place of what was. */
function fileOf(folder: string, { card, model }: Pick<Subject, 'card' | 'model'>): string {
  return path.join(
    folder,
    'devices',
    `${createHash('sha256').update(`${model}\0${card}`).digest('hex').slice(0, 32)}.json`,
  );
}

/** How many outcomes are kept; those that are oldest go first. */
const mostKept = 100;

/** Whether the card was ever tried. Only then is it worth looking for drivers. */
export function wasTried(folder: string, of: Pick<Subject, 'card' | 'model'>): boolean {
  return existsSync(fileOf(folder, of));
}

/** What an earlier try found, unless something has changed since. */
export function keptOutcome(folder: string, subject: Subject): Outcome | undefined {
  try {
    const kept: unknown = JSON.parse(readFileSync(fileOf(folder, subject), 'utf8'));
    if (!isObject(kept) || !isSame(kept, subject)) return undefined;
    return isOutcome(kept['outcome']) ? kept['outcome'] : undefined;
  } catch {
    return undefined;
  }
}

/** Written whole or not at all. It may fail silently: then the card is tried again. */
export function keepOutcome(folder: string, subject: Subject, outcome: Outcome): void {
  const file = fileOf(folder, subject);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(temporary, JSON.stringify({ ...subject, outcome }));
    renameSync(temporary, file);
    prune(path.dirname(file));
  } catch {
    attempt(() => rmSync(temporary, { force: true }), undefined);
  }
}

function prune(folder: string): void {
  const files = readdirSync(folder).map((name) => path.join(folder, name));
  const byAge = files.map((file) => ({ file, at: statSync(file).mtimeMs })).sort((a, b) => b.at - a.at);
  for (const { file } of byAge.slice(mostKept)) rmSync(file, { force: true });
}

function isSame(kept: Readonly<Record<string, unknown>>, subject: Subject): boolean {
  return Object.entries(subject).every(([name, value]) => kept[name] === value);
}

function isOutcome(value: unknown): value is Outcome {
  if (!isObject(value)) return false;
  const { result, why, speed, tokens, difference } = value;
  if (result === 'agrees') return [speed, tokens, difference].every(isNumber);
  return (result === 'differs' || result === 'failed') && typeof why === 'string';
}

/** The providers that may reach a card on this platform. */
export function cardsOn(platform: NodeJS.Platform = process.platform): readonly Card[] {
  switch (platform) {
    case 'win32':
      return ['dml', 'webgpu'];
    case 'darwin':
      return ['coreml', 'webgpu'];
    default:
      return ['cuda', 'webgpu'];
  }
}

/** What is used by what is known. A card that a person asks for is used unless it is known to be wrong, be it slower. */
export function useOf(asked: Device, tried: readonly Tried[]): DeviceUse {
  if (asked === 'auto') return { asked, provider: fastest(tried), tried };
  const known = tried.filter(({ card }) => card === asked);
  const isWrong = known.some(({ outcome }) => outcome.result !== 'agrees');
  return { asked, provider: isWrong ? 'cpu' : asked, tried: known };
}

/** Folders by which a Linux system names its cards and drivers, and what in them changes with either. */
const vulkan = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

/** Changes when a card or its driver does. @param root stands for `/` */
export function driverOf(
  platform: NodeJS.Platform = process.platform,
  root = '/',
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const parts = [platform, release()];
  if (platform === 'linux') {
    const at = (file: string) => path.join(root, file);
    const chosen = [
      env['VK_ICD_FILENAMES'],
      env['VK_DRIVER_FILES'],
      env['LD_LIBRARY_PATH'],
      env['CUDA_VISIBLE_DEVICES'],
    ];
    const drivers = vulkan.flatMap((folder) => listed(at(folder)).map((name) => stamped(path.join(at(folder), name))));
    const named = (env['VK_DRIVER_FILES'] ?? env['VK_ICD_FILENAMES'] ?? '').split(':').filter(Boolean).map(stamped);
    const nvidia = text(at('/proc/driver/nvidia/version'));
    parts.push(...chosen.map((value) => value ?? ''), ...cards(root), ...drivers, ...named, nvidia);
  }
  // Each driver that was ever installed has a folder, with its version in the name.
  if (platform === 'win32')
    parts.push(...listed(`${env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\DriverStore\\FileRepository`));
  // On macOS drivers come with the system.
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32);
}

/** `vendor:device` of each card that Linux names, in hexadecimal. */
function cards(root: string): string[] {
  const folder = path.join(root, '/sys/class/drm');
  const names = listed(folder).filter((name) => /^card\d+$/.test(name));
  const id = (name: string, what: string) => text(path.join(folder, name, 'device', what)).trim();
  return names.map((name) => `${id(name, 'vendor')}:${id(name, 'device')}`);
}

const listed = (folder: string) => attempt(() => readdirSync(folder).sort(), []);
const text = (file: string) => attempt(() => readFileSync(file, 'utf8'), '');
const stamped = (file: string) =>
  attempt(() => {
    const { size, mtimeMs } = statSync(file);
    return `${file}:${size}:${mtimeMs}`;
  }, file);

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/**
 * What the sums of float32 in another order may change. `close`: scores that are no further apart may change places. `value`:
 * of a score, a weight or a contribution; relative where it is above 1. `logProb`: nats. `moved`: share of the choices that may be
 * others once a close one was, as everything after it has another input.
 */
export const rounding = { close: 1e-3, value: 1e-3, logProb: 1e-2, moved: 0.01 } as const;

/** Compares a card's run with the processor's, module by module in the order of computation. */
export function compared(own: Trace, card: Trace): { readonly difference: number } | { readonly differs: string } {
  let [cells, moved] = [0, 0];
  for (const [b, block] of own.blocks.entries()) {
    const other = card.blocks[b];
    if (other?.chosen.length !== block.chosen.length) return { differs: 'it has other modules or tokens' };
    const count = block.chosen.length / block.k;
    cells += count;
    for (let cell = 0; cell < count; cell++) {
      const gap = movedBy(block, other, cell);
      if (moved === 0 && gap > rounding.close)
        return { differs: 'it chooses other experts where the choice is not close' };
      if (gap >= 0) moved++;
      // After another choice, inputs differ by more than rounding.
      const off = moved === 0 && valuesOff(block, other, cell);
      if (off) return { differs: `its ${off} differ by more than rounding` };
    }
  }
  if (moved > Math.ceil(rounding.moved * cells))
    return { differs: `it chooses other experts in ${moved} of ${cells} places` };
  const apart = own.sequences.map(({ logProb }, s) => furthest(logProb, card.sequences[s]?.logProb));
  const difference = Math.max(0, ...apart);
  if (!(difference <= rounding.logProb)) return { differs: `log-probabilities differ by ${difference.toPrecision(2)}` };
  return { difference };
}

/** How far apart in score the experts are that changed places; −1 if the same ones were chosen. */
function movedBy({ k, experts, chosen, score, selection }: Block, other: Block, cell: number): number {
  const [mine, theirs] = [chosen, other.chosen].map((all) => [...all.subarray(cell * k, (cell + 1) * k)]) as [
    number[],
    number[],
  ];
  const left = mine.filter((e) => !theirs.includes(e));
  const instead = theirs.filter((e) => !mine.includes(e));
  if (left.length === 0) return -1;
  // What was compared for the choice.
  const ranked = selection ?? score;
  if (!ranked) return Infinity;
  return Math.max(
    ...left.flatMap((a) => instead.map((b) => apart(ranked[cell * experts + a]!, ranked[cell * experts + b]!))),
  );
}

/** The first kind of a token's numbers at a module that rounding does not explain. Of the same choice, but perhaps in another order. */
function valuesOff(block: Block, other: Block, cell: number): string | undefined {
  const { k, experts } = block;
  const same = block.chosen.subarray(cell * k, (cell + 1) * k).every((e, i) => e === other.chosen[cell * k + i]);
  const kinds = [
    ['scores', block.score, other.score, experts],
    ...(same ? ([['weights', block.weight, other.weight, k]] as const) : []),
    ...(same ? ([['contributions', block.contribution, other.contribution, k]] as const) : []),
  ] as const;
  for (const [name, mine, theirs, width] of kinds)
    for (let i = cell * width; mine && i < (cell + 1) * width; i++)
      if (!(apart(mine[i]!, theirs?.[i] ?? NaN) <= rounding.value * Math.max(1, Math.abs(mine[i]!) || 0))) return name;
  return undefined;
}

/** Infinite where only one of both is a number. */
function apart(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const distance = Math.abs(a - b);
  return Number.isNaN(distance) ? Infinity : distance;
}

function furthest(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (!a || !b) return a === b ? 0 : Infinity;
  return a.reduce((most, x, i) => Math.max(most, apart(x, b[i]!)), 0);
}

/** onnxruntime's messages begin with the place in its source, and may have more lines, whose ends session.ts shows as `·`. */
export function reasonOf(thrown: unknown): string {
  const [line = ''] = GanderError.from(thrown).message.split(/[\n·]/).filter(Boolean);
  const said = line
    .replace(/^.*? was false\. /, '')
    .replace(/^(?:onnxruntime refuses the model|The model cannot be run): /, '');
  return said.length > 200 ? `${said.slice(0, 199)}…` : said;
}
