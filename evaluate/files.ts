/** How files are named and written. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Writes a file completely or not at all. */
export function put(file: string, content: string): void {
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(`${file}.part`, content);
  renameSync(`${file}.part`, file);
}

/** Seven significant digits are more than the numbers support; the rest would only make the file long. */
export const json = (value: unknown): string =>
  `${JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'number' && !Number.isInteger(one) ? Number(one.toPrecision(7)) : one,
  )}\n`;

export const fileName = (id: string) => id.replaceAll(/[^\w.-]/g, '_');
