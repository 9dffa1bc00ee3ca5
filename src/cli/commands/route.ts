import type { Command } from '../command.js';
import { readInput } from '../input.js';
import { json, traceJson, warningsJson } from '../json.js';
import {
  askedFor,
  engineOptions,
  interventionOptions,
  jsonOption,
  serverOptions,
  strategyOptions,
  textOptions,
} from '../options.js';
import { save, saveOptions } from '../save.js';
import { traceTable } from '../traceTable.js';

export const route: Command = {
  name: 'route',
  summary: 'route a text and show which experts each token went to',
  usage: ['[text]', '--file <file>', '< file'],
  options: {
    ...textOptions,
    ...strategyOptions,
    ...interventionOptions,
    ...jsonOption,
    ...saveOptions,
    ...engineOptions,
    ...serverOptions,
  },
  async run({ args, out, open, progress, paint, columns, signal }) {
    const text = await readInput({ text: args.text('text'), file: args.text('file') }, args.positionals);
    const { engine, model } = await open();
    const trace = await engine.route(
      { text, ...askedFor(args, model) },
      { signal, onProgress: progress.count('tokens', 'routing') },
    );
    progress.clear();
    save(trace, args);
    out(
      args.flag('json')
        ? json({ ...traceJson(trace), ...warningsJson(model.warnings) })
        : traceTable(trace, paint, columns),
    );
  },
};
