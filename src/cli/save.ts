/** What a command writes to files. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
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

export function save(trace: Trace, args: Arguments): void {
  const to = (option: keyof typeof saveOptions, write: (file: string) => void) => {
    const file = args.text(option);
    if (file === undefined) return;
    try {
      write(file);
    } catch (cause) {
      throw ioError('write', file, cause);
    }
  };
  to('trace', (file) => writeFileSync(file, encodeTrace(trace)));
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
