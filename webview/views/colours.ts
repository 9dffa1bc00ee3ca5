/** What colours a text: who leads each token, or a number. Strength is relative. */
import { certaintyByToken } from '../../src/trace/distribution.js';
import type { Trace } from '../../src/trace/trace.js';
import type { Colouring } from '../app/state.js';
import { t } from '../look/strings.js';

/** Why a text cannot be coloured by something, in words; undefined: it can. */
export function reasonAgainstColouring(trace: Trace, by: Colouring): string | undefined {
  const hasScores = trace.blocks.some(({ score, selection }) => score ?? selection);
  switch (by) {
    case 'experts':
    case 'nothing':
      return undefined;
    case 'entropy':
      if (!hasScores) return t('scoresNone');
      return trace.router.scoring === undefined ? t('scoringNone') : undefined;
    case 'margin':
      if (!hasScores) return t('scoresNone');
      return trace.router.k === undefined ? t('marginNone') : undefined;
    case 'probability':
      return trace.sequences.some(({ logProb }) => logProb) ? undefined : t('predictionsNone');
  }
}

/** [T] 0..1 by a number; NaN where it is not known. The closer the call, or the less expected the token, the stronger. */
export function strengths(trace: Trace, sequence: number, by: 'entropy' | 'margin' | 'probability'): Float32Array {
  const { logProb, tokens } = trace.sequences[sequence]!;
  if (by === 'probability')
    return Float32Array.from({ length: tokens.count }, (_, i) => 1 - Math.exp(logProb?.[i] ?? NaN));
  const certainty = certaintyByToken(trace, { sequence });
  if (by === 'entropy') return certainty.entropy;
  const most = certainty.margin.reduce((high, x) => (x > high ? x : high), 0);
  return certainty.margin.map((x) => 1 - x / (most || 1));
}
