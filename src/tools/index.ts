/** All tools. A new one needs a file and a line here; `node scripts/tools.mjs` then writes it into package.json. */
import { compareRuns } from './compareRuns.js';
import { describeExpert } from './describeExpert.js';
import { explainToken } from './explainToken.js';
import { knockOutExpert } from './knockOutExpert.js';
import { listModels } from './listModels.js';
import { openInPanel } from './openInPanel.js';
import { routeText } from './routeText.js';
import type { Tool } from './tool.js';

export const tools: readonly Tool[] = [
  listModels,
  routeText,
  explainToken,
  compareRuns,
  knockOutExpert,
  describeExpert,
  openInPanel,
];
