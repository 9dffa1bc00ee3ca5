/** Every word that the page shows, in one place. `{0}`, `{1}` … are filled in order; `one|many` picks by {0}. */
const english = {
  // Names
  base: 'Base model only',
  single: 'One expert',
  phatgoose: 'PHATGOOSE',
  retrieval: 'Retrieval',
  merged: 'Merged',
  'average-activation': 'Average activation',
  arrow: 'Arrow',
  multitask: 'Multitask',
  baseHint: 'The frozen model with no expert.',
  singleHint: 'One expert everywhere, with weight 1.',
  phatgooseHint: 'Each token, at each module, goes to the k experts whose gates fit it best.',
  retrievalHint: 'One expert for the whole text: the one with the most similar training example.',
  mergedHint: 'The mean of all experts.',
  'average-activationHint': 'Like PHATGOOSE, with each expert’s mean activation as its gate.',
  arrowHint: 'Like PHATGOOSE, with each adapter’s top singular vector as its gate.',
  multitaskHint: 'One adapter trained on everything.',
  q: 'query',
  k: 'key',
  v: 'value',
  o: 'output',
  gate: 'MLP gate',
  up: 'MLP up',
  down: 'MLP down',
  lineEnd: 'line end',
  tab: 'tab',
  space: 'space',
  layer: 'layer {0}',
  layerTitle: 'Layer {0}',
  layerKind: 'layer {0}, {1}',
  token: 'token {0} of {1}',
  tokenHead: 'Token',
  layerHead: 'Layer',
  none: 'none',

  // Header
  page: 'Gander routing panel',
  tokens: '{0} token|{0} tokens',
  strategy: 'Strategy: how experts are chosen',
  expertOf: 'Expert',
  experts: 'Experts a token',
  compare: 'Compare',
  compareHint: 'Set this run beside one with another strategy',
  compareStop: 'End comparison',
  generate: 'Generate',
  generateHint: 'Continue the text and watch the routing',
  save: 'Save',
  saveTrace: 'Trace file',
  saveCsv: 'Table of choices (CSV)',
  saveSvg: 'Picture of the grid (SVG)',
  savePng: 'Picture of the grid (PNG)',
  saveHtml: 'Report (HTML)',
  copyMarkdown: 'Copy as Markdown',
  stop: 'Stop',
  undo: 'Undo',
  undoLast: 'Undo the last what-if',
  clearAll: 'Clear all',
  whatIfNow: 'What if:',
  removeThis: 'Remove: {0}',
  routing: 'Routing: {0} of {1} tokens',
  generating: 'Generating: {0} of {1} tokens',
  attributing: 'Knocking out experts: {0} of {1}',
  stale: 'The text has changed since this run.',
  routeAgain: 'Route again',
  partial: 'The run ended early: {0} of {1} tokens are routed.',
  needsRun: 'This is a saved trace: there is no model behind it to run.',
  needsPool: 'No pool of experts is loaded.',
  busy: 'A run is in progress.',
  needsTrace: 'Nothing has been routed yet.',
  empty: 'See which experts each token goes to',
  emptyHow:
    'Select text in an editor and run “Gander: Route Selection”. With nothing selected, the whole document is routed.',
  emptyRunning: 'The first tokens are on their way.',
  loading: 'Loading the pool…',
  replay: 'Saved trace',

  // Legend and text
  legend: 'Experts. Choose some to see only their choices.',
  legendShare: '{0}: {1} of all choices',
  showAll: 'Show all',
  openCard: 'Model card',
  text: 'Text by leading expert',
  tokenSpoken: '{0}, token {1}: {2} leads with {3}',
  tokenPlain: '{0}, token {1}: no expert',
  tokenPending: '{0}, token {1}: not routed yet',

  // Grid
  grid: 'Experts by token and module',
  gridCaption: 'Tokens across, {0} down. Stronger colour: larger weight.',
  gridCaptionLayers: 'layers',
  gridCaptionModules: 'modules',
  gridDifference: 'Tokens across, {0} down. Stronger: more of the choices differ.',
  gridRole: 'Routing grid',
  gridKeys: 'Arrow keys move. Enter opens or closes a layer. Plus and minus zoom, 0 fits.',
  layers: 'Layers',
  modules: 'Modules',
  rows: 'Rows',
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  zoomFit: 'Fit everything',
  filter: 'Filter',
  filterOn: 'Filter (on)',
  filterFrom: 'First layer',
  filterTo: 'Last layer',
  filterKinds: 'Kinds of module',
  filterWeight: 'Least weight',
  filterMargin: 'Margin at most',
  filterMarginAny: 'any',
  filterReset: 'Reset',
  nothingLeft: 'The filter leaves no rows.',
  fade: 'Fade what stayed',
  fadeHint: 'Fade the choices that the what-if did not change',
  gridShows: 'The grid shows',
  gridMain: 'This run',
  gridOther: 'The other',
  gridDiff: 'Difference',
  asTable: 'Show as table',
  asChart: 'Show as chart',
  gridTable: 'Choices for {0}',
  gridTableHint: 'Select a token to see its choices at every module.',
  hiddenCell: 'hidden by the filter',
  noChoice: 'no expert',
  changedCell: 'changed by the what-if',
  changedShare: '{0} of its choices changed',
  differs: '{0} of the choices differ',
  chosenMore: 'and {0} more',

  // Tabs
  tabs: 'Views',
  tab_cell: 'Detail',
  tab_summary: 'Summary',
  tab_predictions: 'Predictions',
  tab_whatIf: 'What if',
  tab_compare: 'Compare',

  // Detail
  howTitle: 'How to read this',
  howText:
    'In the text, each token is underlined by the expert that leads over all {0} modules. The letter names it where it changes; a stronger shade means a larger share.',
  howGrid: 'In the grid, each cell is one token in one layer. Open a layer to see its modules.',
  howSelect: 'Select a token or a cell to see who was chosen, and how close it was.',
  detailToken: 'Over all {0} modules, {1} leads with {2} of the weight.',
  detailTokenNone: 'No expert is applied to this token.',
  detailLayer: 'Over the {0} modules of layer {1}, {2} leads with {3} of the weight.',
  detailCell: 'Layer {0}’s {1} module sends it to {2}.',
  detailCellNone: 'No expert is applied here.',
  detailMargin: 'The best one left out is {0} behind: {1}.',
  detailClose: 'a close call',
  detailClear: 'a clear choice',
  detailMedium: 'neither close nor clear',
  detailEntropy: 'Over all experts the scores are {0}.',
  detailPeaked: 'peaked',
  detailSpread: 'spread out',
  detailEven: 'almost even',
  detailFixed: 'Under this strategy the weights are fixed; the scores show what a router would lean to.',
  detailForced: 'A what-if forces the expert here.',
  detailWas: 'Before the what-if: {0}.',
  detailWasSame: 'The what-if changes nothing here.',
  affinity: 'Affinity',
  affinities: 'Affinity of every expert; chosen ones are marked',
  affinityNone: 'This trace holds no affinities.',
  weight: 'Weight',
  margin: 'Margin',
  entropy: 'Entropy',
  topMass: 'Mass of the chosen',
  contribution: 'Moves the output by',
  contributionHint: 'Size of the expert’s output beside the base module’s',
  chosen: 'Chosen',
  shareOfWeight: 'Share of the weight',
  byLayer: 'Leading expert by layer',
  byModule: 'Modules of this layer',
  module: 'Module',
  expert: 'Expert',
  backToToken: 'Whole token',
  backToLayer: 'Whole layer',
  tryWhatIf: 'What if…',
  tryWhatIfHint: 'Knock out or force {0} here',

  // Summary
  summaryNone: 'The summary appears with the first routed tokens.',
  small: 'Only {0} text tokens: shares from so few can mislead. Whiskers show 95 % intervals.',
  smallNone: 'There are no text tokens to sum up.',
  usage: 'Usage',
  usageCaption: 'Share of all choices. The line is what chance would give, whiskers are 95 % intervals.',
  usageRow: 'Choices',
  chance: 'Chance',
  interval: '95 % interval',
  loadTitle: 'Load',
  loadEffective: 'Effective experts',
  loadEffectiveHint: 'How many evenly used experts would be as varied',
  loadCv: 'Unevenness (CV)',
  loadMax: 'Largest over mean',
  loadEntropy: 'Evenness',
  loadDead: 'Never chosen',
  loadChance: 'chance {0}',
  of: '{0} of {1}',
  usageByLayer: 'Usage by layer',
  usageByLayerCaption: 'Rows are layers, columns are experts. Stronger: a larger share of the layer’s choices.',
  entropyTitle: 'Entropy by layer',
  entropyCaption: '1: the scores say nothing, as chance would. 0: one expert only.',
  coactivation: 'Chosen together',
  coactivationCaption: 'Of the choices of the row’s expert, the share that also chose the column’s. Chance: {0}.',
  coactivationOne: 'With one expert a token, none are chosen together.',
  attracted: 'Most attracted tokens',
  attractedOf: 'Tokens most attracted by',
  attractedCaption:
    'Tokens seen at least {0} times, by the share of their choices that went to the expert. Chance: {1}.',
  attractedNone: 'No token is seen often enough and above chance.',
  times: '{0}×',
  occurrences: 'Times seen',
  share: 'Share',

  // Predictions
  predictionsNone: 'This trace holds no predictions.',
  predictionFirst: 'The first token is given, not predicted.',
  predictionWas: 'It had a probability of {0}, rank {1} among the alternatives.',
  predictionWasUnlisted: 'It had a probability of {0} and was not among the {1} likeliest.',
  predictionChange: 'Before the what-if it was {0}.',
  predictionKl: 'KL divergence of the what-if at this place: at least {0} nats.',
  alternatives: 'Likeliest here',
  nextToken: 'Next after the end',
  surprise: 'Probability of each token',
  surpriseCaption: 'Higher: the model expected the token. Click to select.',
  surpriseBefore: 'Grey: before the what-if.',
  probability: 'Probability',
  probabilityBefore: 'Before',
  kl: 'KL',
  topAlternatives: 'Likeliest alternatives',
  actual: 'in the text',

  // What if
  whatIfIntro: 'Change how experts are chosen and see what follows.',
  action: 'Action',
  knockOut: 'Knock out',
  force: 'Force',
  tilt: 'Tilt',
  knockOutHint: 'It is never chosen.',
  forceHint: 'It alone is applied, with weight 1.',
  tiltHint: 'The amount is added to its affinity before the choice.',
  amount: 'Amount',
  where: 'Where',
  everywhere: 'everywhere',
  inLayer: 'in layer {0}',
  inKind: 'in every {0} module',
  inModule: 'in layer {0}, {1} only',
  onlyToken: 'Only for the selected token, {0}',
  onlyTokenNone: 'Only for the selected token (none selected)',
  apply: 'Apply',
  saidKnockOut: '{0} knocked out {1}',
  saidForce: '{0} forced {1}',
  saidTilt: '{0} tilted by {1} {2}',
  saidToken: '{0}, for token {1}',
  effect: 'What changed',
  effectNone: 'The what-if changes no choice.',
  effectChoices: 'Choices changed',
  effectFirst: 'First changed layer',
  effectLogProb: 'Log-probability of the text',
  effectKl: 'Mean KL of predictions',
  effectHere: 'of {0} at {1} tokens',
  effectByLayer: 'Changed choices by layer',
  effectWaiting: 'The effect appears when the run is done.',
  attribute: 'Attribute',
  attributeTitle: 'What each token owes to each expert',
  attributeHow: 'Every expert is knocked out in turn. This takes one run an expert.',
  attributeCaption:
    'Change of a token’s log-probability without the expert. Below zero: the token owes its prediction to it.',
  attributeBest: 'Owes most to',
  attributeLimit: 'Tokens {0} to {1} of {2}',
  previous: 'Previous',
  next: 'Next',

  // Compare
  compareNone: 'Nothing to compare with yet.',
  compareStart: 'Compare this run with',
  compareSame: 'The same text',
  compareEditor: 'The editor’s selection',
  compareWith: 'Strategy to compare with',
  compareNow: 'Compare',
  compareWithout: 'With and without the what-if',
  compareSides: 'This run and the other',
  compareThis: 'This run',
  compareOther: 'The other',
  compareSaturation: 'Same choices',
  compareJs: 'Divergence of scores',
  compareFlipped: 'Cells that differ',
  compareLogProb: 'Log-probability a token',
  compareAligned: 'Tokens aligned',
  compareByLayer: 'Same choices by layer',
  compareByLayerCaption: 'Share of experts chosen by both. The line is chance.',
  compareUsage: 'Usage, the other minus this',
  compareMost: 'Tokens that differ most',
  compareDiffering: 'Choices that differ',
  compareLogProbChange: 'Log-probability, other − this',
  bits: '{0} bits',
  nats: '{0} nats',

  // Generate
  generateTokens: 'Tokens',
  generateTemperature: 'Temperature',
  generateTemperatureHint: '0 always takes the likeliest token',
  generateSeed: 'Seed',
  generateStart: 'Start',

  // Splits
  splitText: 'Height of the text',
  splitSide: 'Size of the views',
} as const;

export type Word = keyof typeof english;

let translated: Partial<Record<Word, string>> = {};

/** The host may hand over a translation of any of them. */
export function setWords(bundle: Partial<Record<Word, string>>): void {
  translated = bundle;
}

export function isWord(key: string): key is Word {
  return key in english;
}

export function t(key: Word, ...values: readonly (string | number)[]): string {
  const [one, many] = (translated[key] ?? english[key]).split('|') as [string, string?];
  const template = many !== undefined && Number(values[0]) !== 1 ? many : one;
  return template.replace(/\{(\d+)\}/g, (all, i: string) => {
    const value = values[Number(i)];
    return value === undefined ? all : typeof value === 'number' ? whole(value) : value;
  });
}

/** 12,345 */
export const whole = (n: number): string => (Number.isInteger(n) ? n : Math.round(n)).toLocaleString('en');

export function fixed(n: number, digits = 2): string {
  if (!Number.isFinite(n)) return '–';
  const text = n.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

/** Of what is never below zero: what is there but too small to write is not 0. */
export function small(n: number): string {
  return n > 0 && n < 0.001 ? '<0.001' : fixed(n, 3);
}

export function signed(n: number, digits = 2): string {
  const text = fixed(n, digits);
  return Number(text) > 0 ? `+${text}` : text;
}

/** 7 %; small shares keep a digit, so that nothing that happened reads as 0 %. */
export function percent(n: number): string {
  if (!Number.isFinite(n)) return '–';
  const p = n * 100;
  if (p > 0 && p < 0.1) return '<0.1 %';
  return `${(p !== 0 && Math.abs(p) < 10) || (p > 99 && p < 100) ? p.toFixed(1) : p.toFixed(0)} %`;
}

export const strategyName = (name: string): string => (isWord(name) ? t(name) : name);
export const strategyHint = (name: string): string => (isWord(`${name}Hint`) ? t(`${name}Hint` as Word) : '');
export const kindName = (kind: string): string => (isWord(kind) ? t(kind) : kind);
