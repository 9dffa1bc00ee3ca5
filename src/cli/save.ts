/** What a command writes to files. */
import { type Content, saveFile } from '../files/save.js';
import { cellLines, tokenLines } from '../trace/csv.js';
import { encodeTrace } from '../trace/file.js';
import { traceHtml } from '../trace/html.js';
import { traceMarkdown } from '../trace/markdown.js';
import type { Trace } from '../trace/trace.js';
import type { Arguments, Options } from './command.js';
import { ioError } from './input.js';

export const saveOptions = {
  trace: { type: 'string', value: 'file', help: 'save the whole trace (docs/trace-format.md)' },
  csv: { type: 'string', value: 'file', help: 'save a row for each token' },
  cells: { type: 'string', value: 'file', help: 'save a row for each token, module and choice, as CSV' },
  html: { type: 'string', value: 'file', help: 'save a report that needs nothing else' },
  markdown: { type: 'string', value: 'file', help: 'save a summary as Markdown' },
} as const satisfies Options;

/** @throws GanderError `io`; what stood under the name is then as it was */
export async function save(trace: Trace, args: Arguments): Promise<void> {
  const to = async (option: keyof typeof saveOptions, content: () => Content) => {
    const file = args.text(option);
    if (file !== undefined) await write(file, content());
  };
  await to('trace', () => encodeTrace(trace));
  await to('csv', () => tokenLines(trace));
  await to('cells', () => cellLines(trace));
  await to('html', () => traceHtml(trace));
  await to('markdown', () => traceMarkdown(trace));
}

/** @throws GanderError `io`, likewise */
export async function write(file: string, content: Content): Promise<void> {
  try {
    await saveFile(file, content);
  } catch (cause) {
    throw ioError('write', file, cause);
  }
}
