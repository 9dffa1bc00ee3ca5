import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { differences, differingParts, meantOfDifference } from './differing.js';
import { runInput } from './inputs.js';
import { meaning } from './meanings.js';
import { titleOf } from './runs.js';
import { answer } from './text.js';
import { tool } from './tool.js';

export const compareRuns = tool({
  name: 'compare_runs',
  title: 'Compare Runs',
  description: [
    'Says what differs between two kept runs: of the same text by two strategies or two models, or of two versions of a text.',
    'Answers how many choices of experts changed and in which layers, beside what two unrelated choices would share by chance, how the experts’ loads changed, and which tokens became more or less likely.',
    'Use it after two calls of route_text. For the effect of one expert use knock_out_expert, which runs the second run itself.',
    'It runs nothing. Choices are compared by expert id, so of two models with other experts only the log-probabilities tell anything.',
  ].join(' '),
  input: z.strictObject({
    run_a: runInput.describe('The number of a run: what run_b is compared with.'),
    run_b: runInput.describe('The number of another run.'),
  }),
  run({ run_a: first, run_b: second }, reach) {
    if (first === second)
      throw new GanderError('request-invalid', 'Both numbers are of one run.', 'Give the numbers of two runs.');
    const [a, b] = [reach.runs.get(first), reach.runs.get(second)];
    const all = differences(a.trace, b.trace);
    return Promise.resolve(
      answer(
        `a: ${titleOf(a)}\nb: ${titleOf(b)}`,
        ...all.flatMap((d, sequence) => differingParts(a.trace, b.trace, d, sequence)),
        meaning(...meantOfDifference, ...(all.some(({ usage }) => usage) ? (['load, b − a'] as const) : [])),
        `Next: explain_token with run ${first} or ${second} and a token of the list says where its choices differ.`,
      ),
    );
  },
});
