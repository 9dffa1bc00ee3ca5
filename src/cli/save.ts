/** What a command writes to files. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type Content, saveFile } from '../files/save.js';
import { cellLines, tokenLines } from '../trace/exports/csv.js';
import { encodeTrace } from '../trace/file/file.js';
import { traceHtml } from '../trace/exports/html.js';
import { traceMarkdown } from '../trace/exports/markdown.js';
import { withoutScores } from '../trace/model/finished.js';
import type { Trace } from '../trace/model/trace.js';
import type { Arguments, Options } from './command.js';
import { type Input, ioError } from './input.js';
import { UsageError } from './usage.js';

export const saveOptions = {
  trace: { type: 'string', value: 'file', help: 'save the whole trace (docs/trace-format.md)' },
  csv: { type: 'string', value: 'file', help: 'save a row for each token' },
  cells: { type: 'string', value: 'file', help: 'save a row for each token, module and choice, as CSV' },
  html: { type: 'string', value: 'file', help: 'save a report in one file' },
  markdown: { type: 'string', value: 'file', help: 'save a summary as Markdown' },
  'no-scores': { type: 'boolean', help: 'leave the scores of all experts out of --trace: a fraction of the size' },
} as const satisfies Options;

/** What a trace can be saved as, with the ending of the file if the option names a folder. */
const endings = {
  trace: '.gander.safetensors',
  csv: '.csv',
  cells: '.cells.csv',
  html: '.html',
  markdown: '.md',
} as const;

type Kind = keyof typeof endings;

/** Saves to the files that the options name. @throws GanderError `io`; an existing file is then unchanged */
export async function save(trace: Trace, args: Arguments): Promise<void> {
  await saveAs(trace, args, (file) => file);
}

/** Saves one of many into the folders that the options name, under its text's file name. @throws GanderError `io`, as `save` */
export async function saveInto(trace: Trace, args: Arguments, textFile: string): Promise<void> {
  for (const kind of Object.keys(endings) as Kind[]) {
    const folder = args.text(kind);
    if (folder === undefined) continue;
    try {
      await mkdir(folder, { recursive: true });
    } catch (cause) {
      throw ioError('write', folder, cause);
    }
  }
  await saveAs(trace, args, (folder, kind) => path.join(folder, nameOf(textFile) + endings[kind]));
}

/** @throws UsageError if files of two texts would get the same name */
export function checkNames(inputs: readonly Input[], args: Arguments): void {
  if (!Object.keys(endings).some((kind) => args.text(kind) !== undefined)) return;
  const names = inputs.flatMap(({ file }) => (file === undefined ? [] : [nameOf(file)]));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new UsageError(`Two texts are called ${twice}: their files would overwrite each other.`);
}

function nameOf(textFile: string): string {
  return textFile === '-' ? 'stdin' : path.basename(textFile);
}

async function saveAs(trace: Trace, args: Arguments, place: (named: string, kind: Kind) => string): Promise<void> {
  const to = async (kind: Kind, content: () => Content) => {
    const named = args.text(kind);
    if (named !== undefined) await write(place(named, kind), content());
  };
  await to('trace', () => encodeTrace(args.flag('no-scores') ? withoutScores(trace) : trace));
  await to('csv', () => tokenLines(trace));
  await to('cells', () => cellLines(trace));
  await to('html', () => traceHtml(trace));
  await to('markdown', () => traceMarkdown(trace));
}

/** @throws GanderError `io`, as `save` */
export async function write(file: string, content: Content): Promise<void> {
  try {
    await saveFile(file, content);
  } catch (cause) {
    throw ioError('write', file, cause);
  }
}
