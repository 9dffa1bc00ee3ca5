import type { Command, Options } from '../command.js';
import { readTrace } from '../input.js';
import { json, traceJson } from '../json.js';
import { jsonOption } from '../options.js';
import { save, saveOptions } from '../save.js';
import { traceTable } from '../traceTable.js';
import { UsageError } from '../usage.js';

export const show: Command = {
  name: 'show',
  summary: 'show a saved trace as route does, or save it as CSV, HTML or Markdown',
  usage: ['<trace file>'],
  examples: [
    ['out.safetensors', 'the table that route printed'],
    ['out.safetensors --html out.html --cells out.csv', 'a report, and every choice as CSV'],
    ['out.safetensors --trace small.safetensors --no-scores', 'the same trace without the scores of all experts'],
  ],
  options: { ...jsonOption, ...saveOptions } satisfies Options,
  async run({ args, out, paint, columns }) {
    const [file, ...more] = args.positionals;
    if (file === undefined || more.length > 0) throw new UsageError('Give one trace file.');
    const trace = readTrace(file);
    await save(trace, args);
    out(args.flag('json') ? json(traceJson(trace)) : traceTable(trace, paint, columns));
  },
};
