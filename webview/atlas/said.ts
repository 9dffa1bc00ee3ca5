/** An atlas in words: units, their numbers, and what a colour stands for. */
import type { About } from '../../src/atlas/about.js';
import { asked } from '../../src/atlas/specialised.js';
import { number, word } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import type { Quantity } from '../../src/paper/plot.js';
import { type LayerKey, layerOf } from '../../src/protocol/atlas.js';
import { expertName, layerName, plainName } from '../look/names.js';
import { fixed, percent, signed, t, whole } from '../look/strings.js';
import type { Coloured, Mark } from './colouring.js';
import { costRow, failuresIn, isDead, isSpecialised, liftOf, type Unit } from './model.js';

export function saidLayer(key: LayerKey): string {
  const layer = layerOf(key);
  return layer ? layerName(layer) : saidAllLayers(key);
}

export function saidAllLayers({ stack }: LayerKey): string {
  return stack ? t('inSequence', t(stack), t('allLayers')) : t('allLayers');
}

/** An expert of a pool has its name in every layer; one of a mixture has its number in one. */
export function saidUnit({ key, layer }: Unit): string {
  if (layer.set.scope === 'pool') return t('expertOfLayer', saidLayer(layer), plainName(layer.set, key.expert));
  return expertName(layer.set, key.expert, layerOf(key)!);
}

/** Both ends of a row's interval; there is none with too few documents. */
export function saidInterval(row: Row, write: (value: number) => string, low = 'low', high = 'high'): string {
  const ends = [number(row, low), number(row, high)] as const;
  return ends.some(Number.isNaN) ? t('atlasNoInterval') : t('atlasFromTo', ...(ends.map(write) as [string, string]));
}

/** At least so many decimals, and as many as it takes not to round a number to a bound that it only comes near. */
function decimals(value: number, bound: number, least: number): number {
  let digits = least;
  while (digits < 6 && value !== bound && Number(value.toFixed(digits)) === bound) digits++;
  return digits;
}

export function saidLift(lift: number): string {
  return lift === -Infinity ? t('atlasNever') : signed(lift, decimals(Math.abs(lift), asked.lift, 2));
}

const askedTimes = 2 ** asked.lift;

/** A lift as a factor. */
export const saidTimes = (lift: number): string => fixed(2 ** lift, decimals(2 ** lift, askedTimes, 1));

export const saidQ = (q: number): string => (q < 0.001 ? `<${fixed(0.001, 3)}` : fixed(q, decimals(q, asked.q, 3)));

/** What the test says of a label, or what it lacks. */
export function saidFound(unit: Unit, row: Row): string {
  if (Number.isNaN(number(row, 'q'))) return t('atlasNotTested');
  if (isSpecialised(row)) return t(liftOf(unit, row) > 0 ? 'atlasSpecialised' : 'atlasAvoids');
  return failuresIn(unit, row)
    .map((one) => t(`atlasFails_${one}`))
    .join(', ');
}

/** Why a label does not pass the test, in a sentence. */
export function saidFailures(unit: Unit, row: Row): string {
  const fails = failuresIn(unit, row);
  const bounds = { small: whole(askedTimes), chance: fixed(asked.q), halves: '' };
  if (fails.length === 1 && fails[0] === 'small') return t('atlasVerdictSmall', bounds.small);
  return t('atlasVerdictFails', fails.map((one) => t(`atlasVerdictFails_${one}`, bounds[one])).join(', '));
}

/** `4.23 (4.80)`: with what chance would give. */
export function besideChance(row: Row | undefined, name: string, digits = 2): string {
  const [value, chance] = [number(row, name), number(row, `${name}Chance`)];
  return Number.isNaN(value) ? '–' : t('atlasBeside', fixed(value, digits), fixed(chance, digits));
}

/** What the map's colour says of a unit. */
export function saidColour({ by, label }: Coloured, unit: Unit, ablations: readonly Row[]): string {
  const { row, layer } = unit;
  switch (by) {
    case 'load':
      return isDead(unit)
        ? t('atlasSaidDead')
        : t('atlasSaidLoad', percent(number(row, 'load')), percent(number(row, 'chance')));
    case 'lift': {
      const own = unit.labels.find((one) => one['label'] === label);
      const lift = liftOf(unit, own);
      if (!own || Number.isNaN(lift)) return t(isDead(unit) ? 'atlasSaidDead' : 'atlasSaidUnknown');
      const found = isSpecialised(own) ? t(lift > 0 ? 'atlasSpecialised' : 'atlasAvoids') : t('atlasNotFound');
      return t('atlasSaidLift', label, saidLift(lift), percent(number(own, 'share')), found);
    }
    case 'specialisation':
      return Number.isNaN(number(row, 'specialisation'))
        ? t(isDead(unit) ? 'atlasSaidDead' : 'atlasSaidUnknown')
        : t('atlasSaidSpecialisation', besideChance(row, 'specialisation'), word(row, 'label') || t('none'));
    case 'entropy':
      return t('atlasSaidEntropy', besideChance(layer.row, 'entropy'));
    case 'ablation': {
      const cost = costRow(ablations);
      return cost ? t('atlasSaidCost', signed(number(cost, 'difference'), 3)) : t('atlasNotAblated');
    }
  }
}

/** What a colouring's ends and middle mean. */
export function saidScale({ by, most, isCut }: Coloured): readonly [less: string, chance: string, more: string] {
  const isFactor = by === 'load' || by === 'lift';
  const factor = 2 ** most;
  const digits = most < 0.1 ? 3 : 2;
  const middle = t(by === 'ablation' ? 'atlasNoCost' : by === 'lift' ? 'atlasAsOverall' : 'atlasAsChance');
  return isFactor
    ? [
        t(isCut ? 'atlasLessOrFewer' : 'atlasLess', whole(factor), middle),
        middle,
        t(isCut ? 'atlasMoreOrMore' : 'atlasMore', whole(factor), middle),
      ]
    : [signed(-most, digits), middle, signed(most, digits)];
}

/** What a colouring's marks mean. */
export function saidMarks({ by, mark }: Coloured): readonly (readonly [Mark, string])[] {
  const found = by === 'ablation' ? 'atlasMarkHurts' : by === 'lift' ? 'atlasMarkLabel' : 'atlasMarkFound';
  return [
    ['dead', t('atlasMarkDead')],
    [mark, t(mark === 'overloaded' ? 'atlasMarkOverloaded' : found)],
  ];
}

/** What the numbers behind the colours are, for an axis. */
export function saidMeasure({ by, label }: Coloured): Quantity {
  switch (by) {
    case 'load':
      return { title: t('atlasMeasure_load'), unit: 'log2' };
    case 'lift':
      return { title: t('atlasBy_liftOf', label), unit: 'log2' };
    case 'specialisation':
      return { title: t('atlasMeasure_specialisation') };
    case 'entropy':
      return { title: t('atlasMeasure_entropy') };
    case 'ablation':
      return { title: t('atlasMeasure_ablation'), unit: 'nats' };
  }
}

/** What an atlas is of. */
export function summaryOf({ run, totals, corpus, leftOut }: About): string {
  const parts = [
    run.name,
    t('atlasDocumentCount', totals.documents),
    t('tokens', totals.tokens),
    t('atlasLabelCount', corpus.labels.length),
    ...(leftOut.length > 0 ? [t('atlasLeftOut', leftOut.length)] : []),
  ];
  return parts.join(' · ');
}
