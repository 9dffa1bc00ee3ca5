/** Reads tasks: one JSONL file per task, one example per line. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { GanderError } from '../../src/errors/errors.js';

export interface Example {
  /** The task, by its file's name. */
  readonly kind: string;
  readonly input: string;
  readonly target: string;
  /** What the answer is chosen from, including the target; absent if it is in free text. */
  readonly choices?: readonly string[];
  /** Hash of everything that its result depends on, apart from the pool and the strategy. */
  readonly hash: string;
}

const text = z.string().min(1);
const line = z.object({ input: text, target: text, choices: z.array(text).min(2).optional() });

/**
 * The first `count` examples of every `*.jsonl` in a folder, ordered by file name.
 * @param maxTokens of an answer in free text
 * @throws GanderError `io` if a folder or file cannot be read, `request-invalid` for a line that is not an example
 */
export function readExamples(folder: string, count: number, maxTokens: number): Example[] {
  const files = reading(folder, () => readdirSync(folder)).filter((name) => name.endsWith('.jsonl'));
  if (files.length === 0)
    throw new GanderError('io', `There is no task (*.jsonl) in ${folder}.`, 'docs/evaluation.md describes the format.');
  return files.sort().flatMap((name) => {
    const file = path.join(folder, name);
    const lines = reading(file, () => readFileSync(file, 'utf8')).split('\n');
    const seen = new Set<string>();
    const examples: Example[] = [];
    for (const [i, row] of lines.entries()) {
      if (row.trim() === '') continue;
      if (examples.length === count) break;
      const example = parse(row, `${file}, line ${i + 1}`);
      const kind = name.slice(0, -'.jsonl'.length);
      const hash = hashOf([kind, example, example.choices ? undefined : maxTokens]);
      if (seen.has(hash)) continue;
      seen.add(hash);
      examples.push({ kind, ...example, hash });
    }
    return examples;
  });
}

function parse(row: string, where: string): Omit<Example, 'kind' | 'hash'> {
  const remedy = 'It should be {"input": …, "target": …}, optionally with "choices" that include the target.';
  let json: unknown;
  try {
    json = JSON.parse(row);
  } catch (cause) {
    throw new GanderError('request-invalid', `${where} is not JSON.`, remedy, { cause });
  }
  const parsed = line.safeParse(json);
  if (!parsed.success) throw new GanderError('request-invalid', `${where} is not an example.`, remedy);
  const { choices, ...example } = parsed.data;
  if (!choices) return example;
  if (!choices.includes(example.target))
    throw new GanderError('request-invalid', `${where}: the target is not among the choices.`, remedy);
  return { ...example, choices };
}

const hashOf = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 24);

function reading<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new GanderError('io', `${where} cannot be read.`, 'Choose another --tasks folder.', { cause });
  }
}
