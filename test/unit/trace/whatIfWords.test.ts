import { expect, test } from 'vitest';
import type { Intervention, Trace } from '../../../src/trace/model/trace.js';
import { whatIfWords } from '../../../src/trace/text/whatIfWords.js';

const ofLayer = (layer: number) => ({
  scope: 'layer' as const,
  experts: [0, 1].map((e) => ({ id: `${layer}.${e}`, name: `Layer ${layer} expert ${e}` })),
});
const pool = { scope: 'pool' as const, experts: [{ id: 'py', name: 'Python' }] };
const traceOf = (...expertSets: Trace['expertSets']) =>
  ({ expertSets, modules: [], sequences: [] }) as unknown as Trace;

function say(trace: Trace | undefined, intervention: Intervention): string {
  const experts = trace?.expertSets.flatMap((set) => set.experts) ?? [];
  const name = (id: string) => experts.find((expert) => expert.id === id)?.name ?? id;
  return whatIfWords(intervention, trace, name, {
    word: (key, ...values) => [key, ...values].join(' '),
    signed: String,
  });
}

test.each([
  [2, '+2.0'],
  [0.04, '+0.04'],
  [-0.25, '-0.25'],
])('a logit bias of %f keeps its digits', (amount, said) => {
  const words = whatIfWords({ action: 'logit-bias', expert: 'py', amount, scope: {} }, traceOf(pool), String, {
    word: (key, ...values) => [key, ...values].join(' '),
    signed: (value, digits) => (value > 0 ? '+' : '') + value.toFixed(digits),
  });
  expect(words).toContain(` ${said} `);
});

test('the layer is said once, by the place or by the name of the expert', () => {
  const trace = traceOf(ofLayer(0), ofLayer(1));
  const knockOut = (scope: Intervention['scope']): Intervention => ({ action: 'knock-out', expert: '1.1', scope });
  expect(say(trace, knockOut({ layer: 1 }))).toBe('saidKnockOut expertNumber 1 inPlace layer 1');
  expect(say(trace, knockOut({ module: 'layers.1.mlp' }))).toBe('saidKnockOut expertNumber 1 layers.1.mlp');
  expect(say(trace, knockOut({}))).toBe('saidKnockOut Layer 1 expert 1 everywhere');
  expect(say(undefined, knockOut({ layer: 1 }))).toBe('saidKnockOut 1.1 inPlace layer 1');
  expect(say(traceOf(pool), { action: 'force', expert: 'py', scope: { layer: 1 } })).toBe(
    'saidForce Python inPlace layer 1',
  );
});
