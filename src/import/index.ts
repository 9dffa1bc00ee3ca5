/** Reads routing that other programs wrote as a trace, with the first reader that recognises the file's beginning. */
import { bytesInWords } from '../formats/bytes.js';
import { GanderError } from '../errors/errors.js';
import { importLimits } from '../checks/limits.js';
import { metadataKey } from '../trace/file/container.js';
import { decodeTrace } from '../trace/file/file.js';
import { firstBytes, type Given, type Reader } from './reader.js';
import { unreadable } from './unreadable.js';
import { llamaPairs } from './readers/llamaPairs.js';
import { llamaRanks } from './readers/llamaRanks.js';
import { moeTopk } from './readers/moeTopk.js';
import { onnxruntime } from './readers/onnxruntime.js';
import { routedExperts } from './readers/routedExperts.js';
import { npyLogits, safetensorsLogits } from './readers/routerLogits.js';
import { type Named, tokensOf } from './tokens.js';
import { type Imported, traceOf } from './trace.js';

export const readers: readonly Reader[] = [
  routedExperts,
  npyLogits,
  safetensorsLogits,
  moeTopk,
  onnxruntime,
  llamaRanks,
  llamaPairs,
];

/** @throws GanderError `import-invalid` */
export async function importRouting(name: string, bytes: Uint8Array, given: Given & Named): Promise<Imported> {
  checkImportSize(bytes.byteLength);
  const first = bytes.subarray(0, firstBytes);
  if (isTrace(first)) return { trace: decodeTrace(bytes), warnings: [] };
  const reader = readers.find((one) => one.claims(first));
  if (!reader)
    throw unreadable(
      'it does not begin like a file that Gander reads',
      `Gander reads ${readers.map((one) => one.name).join('; ')}.`,
    );
  const found = reader.read(bytes, given);
  return traceOf(name, found, await tokensOf(found, given), given.model);
}

/** A trace under another name needs no reader. */
function isTrace(first: Uint8Array): boolean {
  return first[8] === 0x7b && new TextDecoder().decode(first).includes(`"${metadataKey}"`);
}

/** Lets whoever reads the file check its size before its content. @throws GanderError `import-invalid` */
export function checkImportSize(bytes: number): void {
  if (bytes > importLimits.bytes)
    throw new GanderError(
      'import-invalid',
      `This file cannot be imported: it has ${bytesInWords(bytes)}, and at most ${bytesInWords(importLimits.bytes)} are read.`,
      'Record a shorter text.',
    );
}
