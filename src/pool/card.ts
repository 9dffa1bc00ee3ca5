import { closeSync, openSync, readSync } from 'node:fs';
import { CST, Lexer, parse } from 'yaml';
import { z } from 'zod';
import { poolLimits } from '../checks/limits.js';

/** What a model card says about its expert or model; docs/pool-format.md, "Model card". */
export interface Card {
  readonly name?: string | undefined;
  readonly license?: string | undefined;
  readonly datasets?: readonly string[] | undefined;
  readonly description?: string | undefined;
}

const short = z.string().max(2000).optional().catch(undefined);
const cardSchema = z.object({
  name: short,
  license: short,
  datasets: z.array(z.string().max(500)).max(1000).optional().catch(undefined),
  description: short,
});

/** The fields that are read, each with its lines; a card's other fields (evaluations, widgets) may be long. */
const field = /^(name|license|datasets|description):.*(?:\r?\n(?:[ \t-].*)?)*/gm;

/** Parses the YAML front matter of a model card. Cards are optional, so a field that cannot be read counts as absent. */
export function parseCard(markdown: string): Card {
  const match = /^---\r?\n([\s\S]*?)\r?\n---(?:\r?\n|$)/.exec(markdown.replace(/^\uFEFF/, ''));
  const fields: Record<string, unknown> = {};
  for (const [lines, name = ''] of match?.[1]!.matchAll(field) ?? [])
    if (!(name in fields)) fields[name] = parseField(lines, name);
  return cardSchema.parse(fields);
}

/** Reads a model card's file, only up to the most that its front matter may take. */
export function readCard(file: string): Card {
  const buffer = Buffer.alloc(poolLimits.card);
  const fd = openSync(file, 'r');
  try {
    return parseCard(buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0)));
  } finally {
    closeSync(fd);
  }
}

function parseField(lines: string, name: string): unknown {
  if (lines.length > poolLimits.cardField || depth(lines) > deepest) return undefined;
  try {
    return (parse(lines, { maxAliasCount: 10, logLevel: 'error', prettyErrors: false }) as Record<string, unknown>)[
      name
    ];
  } catch {
    return undefined;
  }
}

/** Far fewer levels than the recursive parser's stack holds: V8 aborts if a regular expression is compiled at the end of the stack. */
const deepest = 16;

/** How deeply lists and mappings are nested where the nesting is written without indentation. */
function depth(source: string): number {
  let [flow, compact, most] = [0, 0, 0];
  for (const token of new Lexer().lex(source)) {
    const type = CST.tokenType(token);
    if (type === 'flow-map-start' || type === 'flow-seq-start') flow++;
    else if (type === 'flow-map-end' || type === 'flow-seq-end') flow--;
    else if (type === 'seq-item-ind' || type === 'explicit-key-ind') compact++;
    else if (type === 'newline') compact = 0;
    most = Math.max(most, flow + compact);
  }
  return most;
}
