import type { Lens, LensColumn } from '../../requests/api.js';
import { hasTarget } from '../../requests/modelInfo.js';
import { words } from '../../words/words.js';
import { fit, table } from '../../terminal/columns.js';
import { decimal, percent, plain, routerText, tokenText, visible } from '../../trace/text/label.js';
import type { Command, Options } from '../command.js';
import { readInput } from '../input.js';
import { json, runJson, warningsJson } from '../json.js';
import { anyEngineOptions, askedFor, inputOptions, runOptions, targetFor } from '../options.js';
import { UsageError } from '../usage.js';

const options = {
  token: { type: 'string', value: 'n', help: 'the token’s number, as in gander route (default: the last)' },
} as const satisfies Options;

export const logitLens: Command = {
  name: 'logit-lens',
  summary: 'show what each layer would predict after a token, with the experts and without',
  usage: ['[text]', '--file <file> --token <n>', '< file'],
  examples: [
    ['--file main.py --token 12', 'after one token'],
    ['"The capital of France is"', 'after the last token'],
  ],
  options: {
    ...options,
    ...inputOptions,
    ...runOptions,
    ...anyEngineOptions,
  },
  async run({ args, out, open, progress, paint, signal }) {
    const given = args.text('token');
    if (given !== undefined && !/^\d{1,9}$/.test(given))
      throw new UsageError(`--token takes a token's number, not "${plain(given)}".`);
    const text = await readInput({ text: args.text('text'), file: args.text('file') }, args.positionals);
    const { engine, model } = await open();
    const request = { text, ...targetFor(args, model), ...askedFor(args, model) };
    const trace = await engine.route(request, { signal });
    const sequence = trace.sequences.at(-1)!;
    const token = given === undefined ? sequence.tokens.count - 1 : Number(given);
    const found = await engine.lens(
      { ...request, token },
      { signal, onProgress: progress.count('tokens', 'reading the layers') },
    );
    progress.clear();
    const next = found.routed.logProb ? token + 1 : undefined;
    const without = 'none' in found.without ? undefined : found.without;
    const none = 'none' in found.without ? words[`lensNone_${found.without.none}`] : undefined;
    if (args.flag('json')) {
      const named = (at: number) => ({ index: at, id: found.ids[at], text: tokenText(sequence, at) });
      out(
        json({
          ...runJson(trace),
          text,
          ...(hasTarget(model) && { output: sequence.text }),
          token: named(token),
          ...(next !== undefined && { next: named(next) }),
          layers: found.layers.map((layer, at) => ({
            layer,
            routed: rowJson(found.routed, at),
            ...(without && { without: rowJson(without, at) }),
          })),
          ...(none !== undefined && { withoutAbsent: none }),
          ...warningsJson(model.warnings),
        }),
      );
      return;
    }
    const nextHead = next === undefined ? [] : ['log p next', 'rank'];
    const columnHead = ['likeliest', 'p', ...nextHead];
    const columns = without ? [found.routed, without] : [found.routed];
    const rows = found.layers.map((layer, at) => [
      String(layer),
      ...columns.flatMap((column) => cells(column, at, found)),
      ...(without ? [best(found.routed, at) === best(without, at) ? '' : '≠'] : []),
    ]);
    const head = ['layer', ...columns.flatMap((_, i) => columnHead.map((name) => (i === 0 ? name : `base: ${name}`)))];
    const align = `r${columns.map(() => `lr${'r'.repeat(nextHead.length)}`).join('')}`;
    out(table([...head, ...(without ? [''] : [])], rows, `${align}${without ? 'l' : ''}`, paint));
    const shown = (at: number) => visible(tokenText(sequence, at));
    out(`\nAfter token ${token}, ${paint.bold(shown(token))}`);
    out(next === undefined ? '; no token came next.' : `; ${paint.bold(shown(next))} came next.`);
    out(` Router ${plain(routerText(trace.router))}.\n`);
    if (none !== undefined) out(`${none}\n`);
  },
};

const best = ({ topIds, predictions }: LensColumn, at: number) => topIds[at * predictions];

/** The next token's place among the likeliest, from 1; undefined if it is not among them. */
function rankIn({ topIds, predictions }: LensColumn, at: number, { ids, token }: Lens): number | undefined {
  const place = topIds.subarray(at * predictions, (at + 1) * predictions).indexOf(ids[token + 1] ?? -1);
  return place < 0 ? undefined : place + 1;
}

function cells(column: LensColumn, at: number, lens: Lens): string[] {
  const { topTokens, topLogProb, predictions, logProb } = column;
  const first = at * predictions;
  return [
    fit(visible(topTokens[first]!), 16),
    percent(Math.exp(topLogProb[first]!)),
    ...(logProb ? [decimal(logProb[at]!), String(rankIn(column, at, lens) ?? `>${predictions}`)] : []),
  ];
}

function rowJson({ topIds, topTokens, topLogProb, predictions, logProb }: LensColumn, at: number): object {
  return {
    ...(logProb && { logProb: logProb[at] }),
    likeliest: Array.from({ length: predictions }, (_, i) => at * predictions + i).map((i) => ({
      id: topIds[i],
      text: topTokens[i],
      logProb: topLogProb[i],
    })),
  };
}
