/** One run in each program's form (test/fixtures/imports/README.md), and what it contains. */
import { readFileSync } from 'node:fs';
import { importRouting } from '../../../src/import/index.js';
import { type Model, readModel } from '../../../src/import/model.js';
import type { Given } from '../../../src/import/reader.js';
import type { Imported } from '../../../src/import/trace.js';
import { GanderError } from '../../../src/errors/errors.js';
import { rowsAt } from '../../../src/trace/model/access.js';
import type { Trace } from '../../../src/trace/model/trace.js';

const folder = new URL('../../fixtures/imports/', import.meta.url);

export const fixture = (name: string): Uint8Array => readFileSync(new URL(name, folder));

export const textFixture = (name: string): string => new TextDecoder().decode(fixture(name));

export const model: Model = readModel(fixture('config.json'));

interface Expected {
  readonly prompt: number;
  readonly ids: readonly number[];
  readonly spelled: readonly string[];
  /** [layers][tokens][k] */
  readonly chosen: readonly (readonly (readonly number[])[])[];
  readonly weights: readonly (readonly (readonly number[])[])[];
}

export const expected = JSON.parse(textFixture('expected.json')) as Expected;

export function read(bytes: Uint8Array | string, given: Partial<Given> = {}): Promise<Imported> {
  const content = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  return importRouting('a file', content, { part: 1, ...given });
}

/** [layers][tokens][width], as nested lists. */
export function nested(trace: Trace, column: 'chosen' | 'weight'): number[][][] {
  return trace.modules.map((_, s) => {
    const rows = rowsAt(trace, s);
    return Array.from({ length: rows.tokens }, (__, t) => [...rows[column]!.subarray(t * rows.k, (t + 1) * rows.k)]);
  });
}

/** The message of the error, which must have the code `import-invalid`. */
export async function refusal(reading: Promise<unknown>): Promise<string> {
  try {
    await reading;
  } catch (thrown) {
    if (thrown instanceof GanderError && thrown.code === 'import-invalid') return `${thrown.message} ${thrown.remedy}`;
    throw thrown;
  }
  return 'not refused';
}
