import { hasTarget } from '../../requests/modelInfo.js';
import { shown } from '../../trace/text/label.js';
import type { Trace } from '../../trace/model/trace.js';
import type { Command, Options } from '../command.js';
import { readInput } from '../input.js';
import { json, traceJson, warningsJson } from '../json.js';
import { anyEngineOptions, askedFor, inputOptions, runOptions, targetFor } from '../options.js';
import { save, saveOptions } from '../save.js';
import { traceTable } from '../traceTable.js';
import { UsageError } from '../usage.js';
import { parseCount, parseNumber } from '../words.js';

const options = {
  'max-tokens': { type: 'string', short: 'n', value: 'n', help: 'the most new tokens (default: 64)' },
  temperature: { type: 'string', value: 'x', help: '0 takes the likeliest token (default: 0)' },
  'top-p': {
    type: 'string',
    value: 'x',
    help: 'sample among the likeliest tokens up to this probability (default: 1)',
  },
  seed: { type: 'string', value: 'n', help: 'seed of the sampling (default: 0)' },
  table: { type: 'boolean', help: 'also show which experts each token went to' },
} as const satisfies Options;

export const generate: Command = {
  name: 'generate',
  summary: 'continue a text, or write an encoder-decoder’s output, and route each new token',
  usage: ['[text]', '--file <file>', '< file'],
  examples: [
    ['"Once upon a time" -n 40', 'the likeliest token each time'],
    ['"Once upon a time" --temperature 0.8 --seed 7 --table', 'sampled, with its routing'],
  ],
  options: {
    ...inputOptions,
    ...options,
    ...runOptions,
    ...saveOptions,
    ...anyEngineOptions,
  },
  async run({ args, out, open, progress, paint, columns, interactive, signal }) {
    const number = (name: keyof typeof options, low: number, high: number): number | undefined => {
      const given = args.text(name);
      if (given === undefined) return undefined;
      const x = parseNumber(given, `--${name}`);
      if (x < low || x > high) throw new UsageError(`--${name} is ${given}; it must be from ${low} to ${high}.`);
      return x;
    };
    const maxTokens = parseCount(args.text('max-tokens') ?? '64', '--max-tokens');
    const temperature = number('temperature', 0, 100);
    const topP = number('top-p', 0, 1);
    const seed = number('seed', 0, 2 ** 32 - 1);
    const text = await readInput({ text: args.text('text'), file: args.text('file') }, args.positionals);
    const { engine, model } = await open();
    const asJson = args.flag('json');
    const output = targetFor(args, model);
    // What is continued: the text, or the given part of the output.
    const begun = hasTarget(model) ? (output.target ?? '') : text;
    let written = begun.length;
    const show = (whole: string) => {
      const more = whole.slice(written);
      written = Math.max(written, whole.length);
      if (!asJson) out(interactive ? shown(more) : more);
    };
    const trace = await engine.generate(
      {
        text,
        ...output,
        ...askedFor(args, model),
        maxTokens,
        ...(temperature !== undefined && { temperature }),
        ...(topP !== undefined && { topP }),
        ...(seed !== undefined && { seed }),
      },
      {
        signal,
        onPartial: (partial) => {
          // The bytes of a character may come one token at a time: U+FFFD stands for an incomplete one.
          const whole = textOf(partial);
          if (whole.length > written && !whole.endsWith('\ufffd')) {
            progress.clear();
            show(whole);
          }
        },
      },
    );
    progress.clear();
    show(textOf(trace));
    await save(trace, args);
    if (asJson)
      out(
        json({
          prompt: text,
          completion: textOf(trace).slice(begun.length),
          ...traceJson(trace),
          ...warningsJson(model.warnings),
        }),
      );
    else out(args.flag('table') ? `\n\n${traceTable(trace, paint, columns)}` : '\n');
  },
};

const textOf = (trace: Trace) => trace.sequences.at(-1)!.text ?? '';
