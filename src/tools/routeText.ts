import { z } from 'zod';
import {
  byUse,
  certaintyCells,
  certaintyHead,
  layerCells,
  layerHead,
  usageCells,
  usageHead,
} from '../trace/exports/tables.js';
import { ranked } from '../trace/figures/leaders.js';
import { layerExpertsNote, summaries, type Summary } from '../trace/figures/summary.js';
import { usageByLayer } from '../trace/figures/usage.js';
import { layersOf, sharedModules } from '../trace/model/access.js';
import type { Trace } from '../trace/model/trace.js';
import { decimal, percent } from '../trace/text/label.js';
import { modelNamed, strategyFor } from './asked.js';
import { modelInput, textInputs } from './inputs.js';
import { meaning, type Meant } from './meanings.js';
import { keptAs, outputAsked, routed, textGiven } from './routing.js';
import { routeOf } from './runs.js';
import { answer, atMost, code, table, tokenCode, tokenMarks } from './text.js';
import { tool } from './tool.js';

/** The most tokens and layers that are listed. */
const [mostTokens, mostLayers] = [40, 64];

/** Experts named for a token. */
const named = 3;

export const routeText = tool({
  name: 'route_text',
  title: 'Route Text',
  description: [
    'Runs a routed language model on a text and says which experts each token was sent to.',
    'Answers with a number for the run (explain_token, compare_runs and knock_out_expert refer to it), how much each expert was used over the text beside what chance gives, and a line per token: leading experts, log-probability, how decided the router was.',
    'Use it for questions about how a model reads a text: which expert a part goes to, whether a text is typical for an expert, how likely the model finds it.',
    'Do not use it for what an expert does in general (describe_expert), nor to write text. To compare two strategies or two texts, call it twice, then compare_runs.',
    'A text may be as long as the model’s context; a long one takes seconds to minutes. Lists every token only of texts of up to 40 tokens.',
  ].join(' '),
  input: z.strictObject({
    ...textInputs,
    model: modelInput,
    strategy: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe(
        'How experts are chosen, as list_models writes it: "phatgoose:2", "single:python", "base" (no experts). Default: the model’s usual one.',
      ),
    output_text: z
      .string()
      .max(2 ** 20)
      .optional()
      .describe('Only for an encoder-decoder: the output that it is given. Default: it writes one.'),
  }),
  sendsText: true,
  async run({ model: id, strategy: said, output_text: output, ...given }, reach, call) {
    const model = modelNamed(reach, id);
    const { text, file } = await textGiven(given, reach);
    const source = await model.source.describe();
    const strategy = strategyFor(model, source, said);
    const request = { text, ...outputAsked(source, output), ...(strategy && { strategy }) };
    const run = await routed({ model, request, file }, reach, call);
    const { trace } = run;
    const all = summaries(trace);
    return answer(
      `Run ${run.id}: ${routeOf(trace)} on ${code(model.id)}. ${keptAs(run, reach)}`,
      ...all.flatMap((summary, sequence) => [
        ...(all.length > 1 ? [`## ${summary.sequence.role}`] : []),
        ...sequenceParts(trace, summary, sequence),
      ]),
      meaning(...meantOf(all[0]!)),
      `Next: explain_token with run ${run.id} tells about one token; knock_out_expert says what an expert changes here; compare_runs compares two runs.`,
    );
  },
});

function meantOf({ shared }: Summary): Meant[] {
  const certain: Meant[] = ['log p', 'entropy', 'margin'];
  return shared
    ? ['load', 'share', ...certain, 'load CV', 'effective number']
    : ['layerLoad', 'effective number', 'dead experts', ...certain];
}

function sequenceParts(trace: Trace, summary: Summary, sequence: number): (string | undefined)[] {
  const { shared, tokens, absent, textTokens, meanLogProb, smallSample } = summary;
  const { shown, said } = atMost(
    tokens,
    mostTokens,
    'tokens',
    'explain_token tells about any other by its number or its text; or route fewer lines.',
  );
  return [
    `${textTokens} tokens, mean log p ${decimal(meanLogProb)}.${smallSample ? ' So few tokens make uncertain shares: mind the intervals.' : ''}`,
    absent.length > 0 ? `Not known here: ${absent.join(', ')}.` : undefined,
    ...(shared ? usageParts(shared) : layerParts(trace, summary, sequence)),
    table(
      ['#', 'token', ...(shared ? ['leading experts, share'] : []), ...certaintyHead],
      shown.map((token) => [
        String(token.index),
        tokenCode(summary.sequence, token.index),
        ...(shared ? [leaders(shared, token)] : []),
        ...certaintyCells(token),
      ]),
    ),
    said,
    tokenMarks,
  ];
}

type Shared = NonNullable<Summary['shared']>;

function leaders({ experts }: Shared, { experts: leading = [] }: Summary['tokens'][number]): string {
  const each = leading.slice(0, named).map(({ index, share }) => `${experts[index]!.id} ${percent(share)}`);
  return each.join(', ') || '–';
}

function usageParts(shared: Shared): string[] {
  const { load, chanceLoad, measure } = shared;
  return [
    table(
      ['expert', ...usageHead],
      byUse(shared).map((expert) => [code(expert.id), ...usageCells(expert)]),
    ),
    `How evenly: load CV ${decimal(load.cv)} (chance ${decimal(chanceLoad.cv)}), effective number of experts ${decimal(load.effective, 1)} of ${load.experts} (chance ${decimal(chanceLoad.effective, 1)}), ${load.dead.length} never chosen.`,
    ...(measure === 'weight' ? [] : [`A token’s shares are of its ${measure}s: this source gives no weights.`]),
  ];
}

/** Each layer's evenness and its most used expert. */
function layerParts(trace: Trace, { layers }: Summary, sequence: number): (string | undefined)[] {
  const usages = usageByLayer(trace, { sequence });
  const places = layersOf(trace, { sequence });
  const { shown, said } = atMost(layers, mostLayers, 'layers', 'explain_token shows a token’s way through each layer.');
  const rows = shown.map((layer, i) => {
    const used = usages[i];
    const set = used && sharedModules(trace, { sequence, ...places[i]! });
    const [most] = used ? ranked(used.share) : [];
    const leader =
      set && most !== undefined
        ? `${code(set.experts[most]!.id)} ${percent(used.share[most]!)} (${percent(used.chance[most]!)})`
        : '–';
    return [...layerCells(layer), leader];
  });
  return [layerExpertsNote, table([...layerHead, 'most used: load (chance)'], rows), said];
}
