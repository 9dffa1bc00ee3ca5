import { writtenTokens } from '../../shared/limits.js';
import { hasTarget } from '../../shared/modelInfo.js';
import type { Command, Options } from '../command.js';
import { readInput } from '../input.js';
import { json, traceJson, warningsJson } from '../json.js';
import {
  askedFor,
  engineOptions,
  interventionOptions,
  jsonOption,
  strategyOptions,
  targetFor,
  targetOptions,
  serverOptions,
  textOptions,
} from '../options.js';
import { save, saveOptions } from '../save.js';
import { traceTable } from '../traceTable.js';
import { UsageError } from '../usage.js';
import { parseCount } from '../words.js';

const options = {
  'max-tokens': {
    type: 'string',
    short: 'n',
    value: 'n',
    help: `of an encoder-decoder without --target: it writes at most so many tokens (default: ${writtenTokens})`,
  },
} as const satisfies Options;

export const route: Command = {
  name: 'route',
  summary: 'route a text and show which experts each token went to',
  usage: ['[text]', '--file <file>', '< file', '[text] --target <text>'],
  options: {
    ...textOptions,
    ...targetOptions,
    ...options,
    ...strategyOptions,
    ...interventionOptions,
    ...jsonOption,
    ...saveOptions,
    ...engineOptions,
    ...serverOptions,
  },
  async run({ args, out, open, progress, paint, columns, signal }) {
    const text = await readInput({ text: args.text('text'), file: args.text('file') }, args.positionals);
    const most = args.text('max-tokens');
    const maxTokens = most === undefined ? undefined : parseCount(most, '--max-tokens');
    const { engine, model } = await open();
    const output = targetFor(args, model);
    if (maxTokens !== undefined && (!hasTarget(model) || output.target !== undefined))
      throw new UsageError('--max-tokens is for what an encoder-decoder writes: see gander generate for other models.');
    const trace = await engine.route(
      { text, ...output, ...askedFor(args, model), ...(maxTokens !== undefined && { maxTokens }) },
      { signal, onProgress: progress.count('tokens', 'routing') },
    );
    progress.clear();
    await save(trace, args);
    out(
      args.flag('json')
        ? json({ ...traceJson(trace), ...warningsJson(model.warnings) })
        : traceTable(trace, paint, columns),
    );
  },
};
