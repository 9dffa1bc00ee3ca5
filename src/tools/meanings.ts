/** What the numbers in the answers mean, and what chance gives: the words of the panel's “?” where they are about no picture. */
import { lessonWords } from '../words/lessonWords.js';

const meanings = {
  share: [lessonWords.whatShareOfWeight, '1 / E for each of E experts'],
  load: [
    'Of all choices that the text’s tokens made at all routed modules, the share that went to the expert. The 95 % interval is from resampling whole tokens; if it contains the chance value, chance alone could explain the load.',
    'the column beside it',
  ],
  layerLoad: [lessonWords.whatUsageByLayer, '1 / E'],
  'log p': [
    'The natural log-probability that the model gave the token, from the tokens before it alone. 0 is certain.',
    lessonWords.chanceLogProb,
  ],
  entropy: [lessonWords.whatEntropy, lessonWords.chanceEntropy],
  margin: [lessonWords.whatMargin],
  'top-k probability': [lessonWords.whatTopKProbability, lessonWords.chanceTopKProbability],
  weight: [lessonWords.whatWeight, lessonWords.chanceWeight],
  contribution: [lessonWords.whatContribution],
  'load CV': [lessonWords.whatCv, 'in brackets'],
  'effective number': [lessonWords.whatEffective, 'beside it'],
  'dead experts': [lessonWords.whatDead],
  'flipped choices': [lessonWords.whatFlipped],
  'top-k overlap': [lessonWords.whatTopKOverlap, 'in brackets'],
  Jaccard: ['Of the experts that either run chose, the share that both chose.', 'in brackets'],
  'JS divergence': [lessonWords.whatDivergence],
  'KL divergence': [lessonWords.whatKl.replace('the what-if', 'the change')],
  'b − a': [
    'The token’s log-probability in run b minus that in run a, in nats. Below 0: less likely in b. 0: no change.',
  ],
  'load, b − a': ['The expert’s load in run b minus that in run a, in percentage points.'],
  direct: [lessonWords.whatDirect],
  downstream: [lessonWords.whatDownstream],
  'corpus load': [lessonWords.whatCorpusLoad, 'the load if all experts of the layer were chosen equally often'],
  lift: [lessonWords.whatLift, lessonWords.chanceLift],
  q: [lessonWords.whatQ],
  specialised: [lessonWords.whatSpecialised, lessonWords.chanceSpecialised],
  specialisation: [
    'How far the expert is from being chosen equally often by all labels: 0 if all choose it equally often, 1 if only one does.',
    'beside it, the mean over shuffled labels',
  ],
  expected: [lessonWords.whatTokenLift, 'the count in brackets'],
  contexts: [lessonWords.whatContexts],
  ablation: [lessonWords.whatAblated, lessonWords.chanceAblated],
} as const satisfies Record<string, readonly [what: string, chance?: string]>;

export type Meant = keyof typeof meanings;

/** A line for each number. */
export function meaning(...numbers: readonly Meant[]): string {
  const lines = numbers.map((number) => {
    const [what, chance] = meanings[number] as readonly [string, string?];
    const name = number === 'layerLoad' ? 'load' : number;
    return `- ${name}: ${what}${chance === undefined ? '' : ` Chance: ${chance.replace(/\.$/, '')}.`}`;
  });
  return ['What the numbers mean:', ...lines].join('\n');
}
