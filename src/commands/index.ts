import { addExpert, addExpertFromHub, addPackedExpert } from './addExpert.js';
import { attribute } from './attribute.js';
import { colourBy } from './colourBy.js';
import { choosePool } from './choosePool.js';
import { chooseStrategy } from './chooseStrategy.js';
import { compareExperts } from './compareExperts.js';
import { compareTraces } from './compareTraces.js';
import { compareWith } from './compareWith.js';
import { connectEngine } from './connectEngine.js';
import { restartEngine, showLog } from './engine.js';
import { openCard, refresh, revealFolder, showOnly } from './experts.js';
import { generate } from './generate.js';
import { history } from './history.js';
import { importRouting } from './importRouting.js';
import { continueAtlas, discardAtlas, makeAtlas, stopAtlas } from './makeAtlas.js';
import { openAtlas } from './openAtlas.js';
import { openGlossary } from './openGlossary.js';
import { openModel } from './openModel.js';
import { openPanel, pinPanel, stop, unpinPanel } from './panel.js';
import type { Command } from './services.js';
import { removeExpert } from './removeExpert.js';
import { revealToken } from './revealToken.js';
import { routeSelection } from './routeSelection.js';
import { routeWithTarget } from './routeWithTarget.js';
import { saveTrace } from './saveTrace.js';
import { showActions } from './showActions.js';
import { showInAtlas } from './showInAtlas.js';
import { takeTour } from './takeTour.js';
import { toggleDecorations } from './toggleDecorations.js';
import { tryExpert } from './tryExpert.js';
import { openSample, openWalkthrough } from './walkthrough.js';
import { clearWhatIf, force, knockOut, solo } from './whatIf.js';

/** All commands of the manifest. */
export const commands: readonly Command[] = [
  addExpert,
  addExpertFromHub,
  addPackedExpert,
  attribute,
  choosePool,
  chooseStrategy,
  clearWhatIf,
  colourBy,
  compareExperts,
  compareTraces,
  compareWith,
  connectEngine,
  continueAtlas,
  discardAtlas,
  force,
  generate,
  history,
  importRouting,
  knockOut,
  makeAtlas,
  openAtlas,
  openCard,
  openGlossary,
  openModel,
  openPanel,
  openSample,
  openWalkthrough,
  pinPanel,
  refresh,
  removeExpert,
  restartEngine,
  revealFolder,
  revealToken,
  routeSelection,
  routeWithTarget,
  saveTrace,
  showActions,
  showInAtlas,
  showLog,
  showOnly,
  solo,
  stop,
  stopAtlas,
  takeTour,
  toggleDecorations,
  tryExpert,
  unpinPanel,
];
