import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { consequences } from '../trace/figures/consequences.js';
import { usage } from '../trace/figures/usage.js';
import { modulesOf, sharedModules } from '../trace/model/access.js';
import type { Intervention, Trace } from '../trace/model/trace.js';
import { percent } from '../trace/text/label.js';
import { expertIn } from './asked.js';
import { differences, differingParts, meantOfDifference } from './differing.js';
import { expertInput, runInput } from './inputs.js';
import { meaning } from './meanings.js';
import { keptAs, routed } from './routing.js';
import { titleOf } from './runs.js';
import { answer, code } from './text.js';
import { tool } from './tool.js';

export const knockOutExpert = tool({
  name: 'knock_out_expert',
  title: 'Knock Out Expert',
  description: [
    'Runs the text of a kept run again with one expert forbidden, and says what changed: choices that the knock-out changed directly, those that only followed, and how much likelier or less likely each token became.',
    'Use it to find out whether a text needs an expert, after route_text showed that the expert is used. The answer is about this text only; describe_expert has what knocking it out does over a corpus, where that was measured.',
    'Do not use it to compare strategies or texts: compare_runs does that. It takes as long as route_text did. The new run is kept, so several experts can be knocked out in turn.',
  ].join(' '),
  input: z.strictObject({
    run: runInput.describe('The number of a run, from route_text or an earlier knock_out_expert.'),
    expert: expertInput,
    layer: z.int().min(0).optional().describe('Only in this layer. Default: everywhere.'),
  }),
  sendsText: true,
  async run({ run: id, expert: said, layer }, reach, call) {
    const before = reach.runs.get(id);
    const { trace: without, model, request, file } = before;
    const expert = expertIn(without.expertSets, said);
    if (layer !== undefined && modulesOf(without, { layer }).length === 0)
      throw new GanderError('request-invalid', `Run ${id} has no layer ${layer}.`, 'Leave layer out, or name another.');
    const { can } = await model.source.describe();
    if (can.whatIf !== true)
      throw new GanderError('request-invalid', can.whatIf.reason, 'Route the text with a model on this machine.');
    const knockOut: Intervention = {
      action: 'knock-out',
      expert: expert.id,
      scope: layer === undefined ? {} : { layer },
    };
    const interventions = [...(request.interventions ?? []), knockOut];
    const after = await routed({ model, request: { ...request, interventions }, file }, reach, call);
    const all = differences(without, after.trace);
    const numbers = [...meantOfDifference, 'direct', 'downstream'] as const;
    return answer(
      `Run ${after.id}: without ${code(expert.id)}${layer === undefined ? '' : ` in layer ${layer}`}. ${keptAs(after, reach)}`,
      `a: ${titleOf(before)}\nb: ${titleOf(after)}`,
      loadText(without, expert.id),
      ...all.flatMap((d, sequence) =>
        differingParts(without, after.trace, d, sequence, consequences(without, after.trace, d)),
      ),
      meaning(...numbers, ...(all.some(({ usage }) => usage) ? (['load, b − a'] as const) : [])),
      'To judge the size, knock out another expert with a similar load: an effect that is no larger is not special to this one.',
      `Next: the same with run ${id} and another expert; explain_token with run ${after.id} shows who took over at a token; describe_expert says what ${code(expert.id)} does elsewhere.`,
    );
  },
});

/** How much the expert was used before; undefined if it has a layer to itself. */
function loadText(trace: Trace, id: string): string | undefined {
  const shared = sharedModules(trace, { sequence: 0 });
  if (!shared) return undefined;
  const { share, chance } = usage(trace, shared);
  const e = shared.experts.findIndex((expert) => expert.id === id);
  return e < 0 ? undefined : `In run a it had a load of ${percent(share[e]!)} (chance ${percent(chance[e]!)}).`;
}
