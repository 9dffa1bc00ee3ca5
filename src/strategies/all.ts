/** Every strategy, in the order in which lists show them. */
import { arrow } from './arrow.js';
import { averageActivation } from './averageActivation.js';
import { base } from './base.js';
import { jointlyTrained } from './jointlyTrained.js';
import { merged } from './merged.js';
import { mergedFactors } from './mergedFactors.js';
import { multitask } from './multitask.js';
import { phatgoose } from './phatgoose.js';
import { retrieval } from './retrieval.js';
import { single } from './single.js';
import type { StrategyDescriptor } from './strategy.js';
import { xLora } from './xLora.js';

export const all: readonly StrategyDescriptor[] = [
  base,
  single,
  phatgoose,
  retrieval,
  merged,
  mergedFactors,
  averageActivation,
  arrow,
  jointlyTrained,
  multitask,
  xLora,
];
