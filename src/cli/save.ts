/** What a command writes to files. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { cellLines, tokenLines } from '../trace/csv.js';
import { encodeTrace } from '../trace/file.js';
import { traceHtml } from '../trace/html.js';
import { traceMarkdown } from '../trace/markdown.js';
import { withoutScores } from '../trace/finished.js';
import type { Trace } from '../trace/trace.js';
import type { Arguments, Options } from './command.js';
import { type Input, ioError } from './input.js';
import { UsageError } from './usage.js';

export const saveOptions = {
  trace: { type: 'string', value: 'file', help: 'save the whole trace (docs/trace-format.md)' },
  csv: { type: 'string', value: 'file', help: 'save a row for each token' },
  cells: { type: 'string', value: 'file', help: 'save a row for each token, module and choice, as CSV' },
  html: { type: 'string', value: 'file', help: 'save a report that needs nothing else' },
  markdown: { type: 'string', value: 'file', help: 'save a summary as Markdown' },
  'no-scores': { type: 'boolean', help: 'leave the scores of all experts out of --trace: a fraction of the size' },
} as const satisfies Options;

/** What a trace is saved as, and the ending of its file where the option names a folder. */
const endings = {
  trace: '.gander.safetensors',
  csv: '.csv',
  cells: '.cells.csv',
  html: '.html',
  markdown: '.md',
} as const;

type Kind = keyof typeof endings;

/** To the files that the options name. @throws GanderError `io` */
export function save(trace: Trace, args: Arguments): void {
  saveAs(trace, args, (named) => named);
}

/** One of many: into the folders that the options name, called after its text's file. @throws GanderError `io` */
export function saveInto(trace: Trace, args: Arguments, textFile: string): void {
  saveAs(trace, args, (folder, kind) => {
    mkdirSync(folder, { recursive: true });
    return path.join(folder, nameOf(textFile) + endings[kind]);
  });
}

/** Two texts of one name would be saved over each other. @throws UsageError */
export function checkNames(inputs: readonly Input[], args: Arguments): void {
  if (!Object.keys(endings).some((kind) => args.text(kind) !== undefined)) return;
  const names = inputs.flatMap(({ file }) => (file === undefined ? [] : [nameOf(file)]));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new UsageError(`Two texts are called ${twice}: what is saved of one would replace the other’s.`);
}

function nameOf(textFile: string): string {
  return textFile === '-' ? 'stdin' : path.basename(textFile);
}

function saveAs(trace: Trace, args: Arguments, place: (named: string, kind: Kind) => string): void {
  const to = (option: Kind, write: (file: string) => void) => {
    const named = args.text(option);
    if (named === undefined) return;
    let file = named;
    try {
      file = place(named, option);
      write(file);
    } catch (cause) {
      throw ioError('write', file, cause);
    }
  };
  to('trace', (file) => writeFileSync(file, encodeTrace(args.flag('no-scores') ? withoutScores(trace) : trace)));
  to('csv', (file) => writeLines(file, tokenLines(trace)));
  to('cells', (file) => writeLines(file, cellLines(trace)));
  to('html', (file) => writeFileSync(file, traceHtml(trace)));
  to('markdown', (file) => writeFileSync(file, traceMarkdown(trace)));
}

/** A long trace's CSV does not fit one string. */
function writeLines(file: string, lines: Iterable<string>): void {
  const fd = openSync(file, 'w');
  try {
    let part = '';
    for (const line of lines) {
      part += line;
      if (part.length < 1 << 20) continue;
      writeSync(fd, part);
      part = '';
    }
    writeSync(fd, part);
  } finally {
    closeSync(fd);
  }
}
