import type { ModelInfo } from '../../requests/api.js';
import { slotsOf } from '../../look/palette.js';
import { hasTarget } from '../../requests/modelInfo.js';
import { textTokens } from '../../trace/model/access.js';
import type { AttributedExperts } from '../../trace/figures/attributed.js';
import { slotsIn } from '../../trace/figures/colours.js';
import { decimal, plain, routerText, signed, tokenText, visible } from '../../trace/text/label.js';
import { fit, table } from '../../terminal/columns.js';
import type { Arguments, Command, Options } from '../command.js';
import { readInput } from '../input.js';
import { json, runJson, warningsJson } from '../json.js';
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
import { expertName } from '../traceTable.js';
import { UsageError } from '../usage.js';
import { parseCount } from '../words.js';

/** Experts a line names. */
const named = 3;

const options = {
  layer: { type: 'string', value: 'n', help: 'of a mixture of experts: those of one layer' },
  most: { type: 'string', value: 'n', help: 'of a mixture of experts: so many, the most chosen (default: 16)' },
} as const satisfies Options;

export const attribute: Command = {
  name: 'attribute',
  summary: 'knock out each expert in turn and show how every token’s log-probability changes',
  usage: ['[text]', '--file <file>', '< file'],
  examples: [
    ['"SELECT name FROM birds;"', 'every expert of the pool that ships'],
    ['--model models/gosling-moe --layer 3 --most 8 --file main.py', 'the eight most chosen experts of one layer'],
  ],
  options: {
    ...options,
    ...textOptions,
    ...targetOptions,
    ...strategyOptions,
    ...interventionOptions,
    ...jsonOption,
    ...engineOptions,
    ...serverOptions,
  },
  async run({ args, out, open, progress, paint, signal }) {
    const text = await readInput({ text: args.text('text'), file: args.text('file') }, args.positionals);
    const { engine, model } = await open();
    const request = { text, ...targetFor(args, model), ...askedFor(args, model) };
    const trace = await engine.route(request, { signal });
    const { experts, logProb, change } = await engine.attribute(
      { ...request, ...attributedFor(args, model) },
      { signal, onProgress: progress.count('tokens', 'attributing') },
    );
    progress.clear();
    const n = experts.length;
    // Experts of different layers are different ones: they share no colours.
    const slots = model.kind === 'pool' ? slotsIn(trace, trace.expertSets[0]!) : slotsOf(experts.length, []);
    const rowOf = (t: number) => [...change.subarray(t * n, (t + 1) * n)];
    // Of an input nothing is predicted.
    const sequence = trace.sequences.at(-1)!;
    const tokens = textTokens(sequence);
    const totals = experts.map((_, e) => total(tokens, (t) => change[t * n + e]!));
    if (args.flag('json')) {
      const rows = Array.from(logProb, (_, t) => ({
        index: t,
        id: sequence.tokens.ids?.[t],
        text: tokenText(sequence, t),
        logProb: logProb[t],
        change: rowOf(t),
      }));
      out(
        json({
          ...runJson(trace),
          text,
          ...(hasTarget(model) && { output: sequence.text }),
          experts: experts.map((e, i) => ({ ...e, total: totals[i] })),
          tokens: rows,
          ...warningsJson(model.warnings),
        }),
      );
      return;
    }
    const rows = [...tokens].map((t) => {
      const changes = rowOf(t);
      const most = [...changes.keys()]
        .filter((e) => changes[e]! !== 0)
        .sort((a, b) => Math.abs(changes[b]!) - Math.abs(changes[a]!));
      const cells = most.filter((e) => !Number.isNaN(changes[e]!)).slice(0, named);
      return [
        String(t),
        fit(visible(tokenText(sequence, t)), 16),
        decimal(logProb[t]!),
        ...Array.from({ length: named }, (_, i) => {
          const e = cells[i];
          return e === undefined
            ? ''
            : `${signed(changes[e]!, 3).padStart(7)} ${paint.slot(slots[e]!, fit(expertName(experts, e), 16))}`;
        }),
      ];
    });
    out(table(['#', 'token', 'log p', 'change without', '', ''], rows, 'rlrlll', paint));
    const order = [...totals.keys()].sort((a, b) => totals[a]! - totals[b]!);
    out('\n');
    out(
      table(
        ['expert', 'change without, all tokens'],
        order.map((e) => [expertName(experts, e), signed(totals[e]!, 3)]),
        'lr',
        paint,
      ),
    );
    out(
      `\nNegative: the ${hasTarget(model) ? 'output' : 'text'} is likelier with the expert. Router ${plain(routerText(trace.router))}, nats.\n`,
    );
  },
};

function attributedFor(args: Arguments, model: ModelInfo): AttributedExperts {
  const [layer, most] = [args.text('layer'), args.text('most')];
  if (model.kind === 'pool' && (layer ?? most) !== undefined)
    throw new UsageError('--layer and --most are for a mixture of experts: of a pool all experts are told.');
  if (layer !== undefined && !/^\d{1,9}$/.test(layer))
    throw new UsageError(`--layer takes a layer's number, not "${layer}".`);
  return {
    ...(layer !== undefined && { layer: Number(layer) }),
    ...(most !== undefined && { most: parseCount(most, '--most') }),
  };
}

/** Over those that are defined. */
function total(tokens: Int32Array, of: (t: number) => number): number {
  return tokens.reduce((sum, t) => sum + (Number.isNaN(of(t)) ? 0 : of(t)), 0);
}
