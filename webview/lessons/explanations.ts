/**
 * What each figure's numbers are. One table of numbers, one of figures. Every figure of the page has an entry (`FigureName`):
 * webview/components/figure.tsx accepts no other name.
 */
import { lessonWords, type LessonWord } from '../../src/words/lessonWords.js';
import type { Word } from '../look/strings.js';

export interface Explanation {
  readonly title: Word;
  readonly what: LessonWord;
  /** In symbols, which are not translated; one line for each kind of router if these differ. */
  readonly formula?: readonly string[];
  readonly range: LessonWord;
  /** What chance would give; absent where there is no such value. */
  readonly chance?: LessonWord;
  readonly source?: string;
}

const shannon = 'C. E. Shannon, A Mathematical Theory of Communication, 1948';
const phatgoose = 'Muqeeth et al., 2024, arXiv 2402.05859';
const olmoe = 'Muennighoff et al., 2024, arXiv 2409.02060';

/** What the letters mean that formulas, ranges and chance values share. */
const letters = [
  [/\bE\b/, 'letterE'],
  [/\bk\b|ₖ/, 'letterK'],
  [/\bS\b/, 'letterS'],
  [/\bT\b/, 'letterT'],
  [/\bV\b/, 'letterV'],
] as const satisfies readonly (readonly [RegExp, LessonWord])[];

/** The letters that an entry uses. Looked up in the English words: in a translation, a letter may be a word. */
export function lettersOf({ formula = [], range, chance }: Explanation): LessonWord[] {
  const said = [...formula, lessonWords[range], chance ? lessonWords[chance] : ''].join('\n');
  return letters.filter(([letter]) => letter.test(said)).map(([, word]) => word);
}

export const numbers = {
  affinity: {
    title: 'affinity',
    what: 'whatAffinity',
    formula: ['PHATGOOSE: a = LN(u) · LN(v) / √d', 'Arrow: a = |u · v|'],
    range: 'rangeAffinity',
    source: `${phatgoose}; Arrow: Ostapenko et al., 2024, arXiv 2405.11157`,
  },
  routerLogit: { title: 'routerLogit', what: 'whatRouterLogit', formula: ['W u'], range: 'rangeAffinity' },
  weight: {
    title: 'weight',
    what: 'whatWeight',
    formula: ['PHATGOOSE, Arrow: wᵢ = exp(aᵢ) / Σⱼ exp(aⱼ), j ∈ S', 'MoE: wᵢ = softmax(W u)ᵢ, wᵢ / Σⱼ wⱼ, j ∈ S'],
    range: 'rangeWeight',
    chance: 'chanceWeight',
    source: `${phatgoose}; MoE: ${olmoe}`,
  },
  contribution: {
    title: 'contribution',
    what: 'whatContribution',
    formula: ['‖w s B A u‖ / ‖W u‖'],
    range: 'rangeContribution',
  },
  margin: { title: 'margin', what: 'whatMargin', formula: ['a₍ₖ₎ − a₍ₖ₊₁₎'], range: 'rangeMargin' },
  entropy: {
    title: 'entropy',
    what: 'whatEntropy',
    formula: ['−Σ pᵢ ln pᵢ / ln E'],
    range: 'rangeEntropy',
    chance: 'chanceEntropy',
    source: shannon,
  },
  topKProbability: {
    title: 'topKProbability',
    what: 'whatTopKProbability',
    formula: ['Σ pᵢ, i ∈ S'],
    range: 'rangeTopKProbability',
    chance: 'chanceTopKProbability',
  },
  shareOfWeight: {
    title: 'share',
    what: 'whatShareOfWeight',
    formula: ['Σ wᵢ / Σ Σⱼ wⱼ'],
    range: 'rangeShare',
    chance: 'chanceShare',
  },
  leader: { title: 'colour_leader', what: 'whatLeader', range: 'rangeLeader', chance: 'chanceLeader' },
  usage: {
    title: 'usage',
    what: 'whatUsage',
    formula: ['fᵢ = nᵢ / Σⱼ nⱼ'],
    range: 'rangeShare',
    chance: 'chanceShare',
  },
  corpusRatio: {
    title: 'corpusTitle',
    what: 'whatCorpusRatio',
    formula: ['fᵢ / f′ᵢ'],
    range: 'rangeCorpusRatio',
    chance: 'chanceCorpusRatio',
  },
  usageByLayer: {
    title: 'usage',
    what: 'whatUsageByLayer',
    formula: ['fᵢ = nᵢ / Σⱼ nⱼ'],
    range: 'rangeShare',
    chance: 'chanceUsage',
  },
  effective: {
    title: 'loadEffective',
    what: 'whatEffective',
    formula: ['exp(−Σ fᵢ ln fᵢ)'],
    range: 'rangeEffective',
    chance: 'chanceByCount',
    source: 'M. O. Hill, Diversity and Evenness, Ecology 54, 1973',
  },
  cv: {
    title: 'loadCv',
    what: 'whatCv',
    formula: ['σ(f) / μ(f)'],
    range: 'rangeCv',
    chance: 'chanceByCount',
    source: 'Shazeer et al., 2017, arXiv 1701.06538',
  },
  maxVio: {
    title: 'loadMaxVio',
    what: 'whatMaxVio',
    formula: ['max(f) / μ(f) − 1'],
    range: 'rangeMaxVio',
    source: 'Wang et al., 2024, arXiv 2408.15664',
  },
  evenness: {
    title: 'loadEntropy',
    what: 'whatEvenness',
    formula: ['−Σ fᵢ ln fᵢ / ln E'],
    range: 'rangeEvenness',
    chance: 'chanceByCount',
    source: shannon,
  },
  dead: { title: 'loadDead', what: 'whatDead', range: 'rangeDead', chance: 'chanceDead' },
  together: {
    title: 'coactivation',
    what: 'whatTogether',
    formula: ['nₐᵦ / nₐ'],
    range: 'rangeTogether',
    chance: 'chanceTogether',
    source: olmoe,
  },
  attracted: {
    title: 'attracted',
    what: 'whatAttracted',
    range: 'rangeAttracted',
    chance: 'chanceAttracted',
    source: olmoe,
  },
  probability: {
    title: 'probability',
    what: 'whatProbability',
    formula: ['p(xₜ | x₁ … xₜ₋₁)'],
    range: 'rangeProbability',
    chance: 'chanceProbability',
  },
  surprise: {
    title: 'colour_surprise',
    what: 'whatSurprise',
    formula: ['−ln p(xₜ | x₁ … xₜ₋₁)'],
    range: 'rangeSurprise',
    chance: 'chanceSurprise',
  },
  alternatives: {
    title: 'alternatives',
    what: 'whatAlternatives',
    formula: ['p(x | x₁ … xₜ₋₁)'],
    range: 'rangeProbability',
    chance: 'chanceProbability',
  },
  topKOverlap: {
    title: 'compareTopKOverlap',
    what: 'whatTopKOverlap',
    formula: ['|S ∩ S′| / k'],
    range: 'rangeTopKOverlap',
    chance: 'chanceTopKOverlap',
    source: olmoe,
  },
  flipped: { title: 'compareFlipped', what: 'whatFlipped', formula: ['S ≠ S′'], range: 'rangeFlipped' },
  divergence: {
    title: 'compareJs',
    what: 'whatDivergence',
    formula: ['½ KL(p ‖ m) + ½ KL(q ‖ m), m = (p + q) / 2'],
    range: 'rangeDivergence',
    source: 'J. Lin, Divergence Measures Based on the Shannon Entropy, IEEE Trans. Inf. Theory 37(1), 1991',
  },
  logProb: {
    title: 'compareLogProb',
    what: 'whatLogProb',
    formula: ['Σ ln p(xₜ | x₁ … xₜ₋₁) / T'],
    range: 'rangeLogProb',
    chance: 'chanceLogProb',
  },
  logProbChange: { title: 'compareLogProbChange', what: 'whatLogProbChange', range: 'rangeChange' },
  usageChange: {
    title: 'compareUsage',
    what: 'whatUsageChange',
    formula: ['100 (f′ᵢ − fᵢ)'],
    range: 'rangeUsageChange',
  },
  scopeChange: {
    title: 'usage',
    what: 'whatScopeChange',
    formula: ['100 (fᵢ − f′ᵢ)'],
    range: 'rangeUsageChange',
  },
  lens: {
    title: 'tab_lens',
    what: 'whatLens',
    formula: ['softmax(W norm(h))'],
    range: 'rangeProbability',
    chance: 'chanceProbability',
    source: 'nostalgebraist, interpreting GPT: the logit lens, 2020',
  },
  change: { title: 'colour_change', what: 'whatChange', range: 'rangeFlipped', chance: 'chanceChange' },
  kl: {
    title: 'kl',
    what: 'whatKl',
    formula: ['Σ p ln(p / q)'],
    range: 'rangeKl',
    source: 'S. Kullback and R. A. Leibler, On Information and Sufficiency, 1951',
  },
  direct: { title: 'effectDirect', what: 'whatDirect', range: 'rangeFlipped' },
  downstream: { title: 'effectDownstream', what: 'whatDownstream', range: 'rangeFlipped' },
  attribution: {
    title: 'attributeChange',
    what: 'whatAttribution',
    formula: ['ln p₋ᵢ − ln p'],
    range: 'rangeChange',
  },
  corpusLoad: {
    title: 'usage',
    what: 'whatCorpusLoad',
    formula: ['fᵢ = nᵢ / Σⱼ nⱼ'],
    range: 'rangeShare',
    chance: 'chanceUsage',
  },
  lift: {
    title: 'atlasLift',
    what: 'whatLift',
    formula: ['log₂ (P(e | c) / P(e))'],
    range: 'rangeLift',
    chance: 'chanceLift',
  },
  specialised: {
    title: 'atlasFound',
    what: 'whatSpecialised',
    range: 'rangeSpecialised',
    chance: 'chanceSpecialised',
  },
  q: {
    title: 'atlasQ',
    what: 'whatQ',
    range: 'rangeQ',
    source: 'Y. Benjamini and Y. Hochberg, Controlling the False Discovery Rate, J. R. Statist. Soc. B 57(1), 1995',
  },
  corpusSpecialisation: {
    title: 'atlasBy_specialisation',
    what: 'whatCorpusSpecialisation',
    formula: ['1 − H / ln C'],
    range: 'rangeCorpusSpecialisation',
    chance: 'chanceCorpusSpecialisation',
  },
  information: {
    title: 'atlasInformation',
    what: 'whatInformation',
    formula: ['Σ p(e, x) ln (p(e, x) / (p(e) p(x)))'],
    range: 'rangeInformation',
    chance: 'chanceInformation',
    source: shannon,
  },
  tokenLift: {
    title: 'atlasTokens',
    what: 'whatTokenLift',
    formula: ['log₂ (n / n₀)'],
    range: 'rangeTokenLift',
    chance: 'chanceTokenLift',
  },
  contexts: { title: 'atlasContexts', what: 'whatContexts', range: 'rangeContexts' },
  pairLift: {
    title: 'atlasPairs',
    what: 'whatPairLift',
    formula: ['log₂ (nₐᵦ / n₀)'],
    range: 'rangeTokenLift',
    chance: 'chancePairLift',
  },
  similar: {
    title: 'atlasSimilar',
    what: 'whatSimilar',
    formula: ['LN(v) · LN(v′) / d', '⟨s B A, s′ B′ A′⟩ / (‖s B A‖ ‖s′ B′ A′‖)'],
    range: 'rangeSimilar',
    chance: 'chanceSimilar',
  },
  ablated: {
    title: 'atlasAblation',
    what: 'whatAblated',
    formula: ['(ln p₋ᵢ − ln p) − (ln p₋ⱼ − ln p)'],
    range: 'rangeAblated',
    chance: 'chanceAblated',
  },
  search: { title: 'atlasFound', what: 'whatSearch', range: 'rangeSearch', chance: 'chanceSearch' },
} as const satisfies Record<string, Explanation>;

export type NumberName = keyof typeof numbers;

/** The numbers that each figure shows. */
export const figures = {
  // The map, by what colours it
  map_experts: ['leader', 'weight'],
  map_entropy: ['entropy'],
  map_margin: ['margin'],
  map_weight: ['weight'],
  map_probability: ['probability'],
  map_surprise: ['surprise'],
  map_nothing: ['leader'],
  map_change: ['change'],
  map_changeLogProb: ['logProbChange'],
  map_attribution: ['attribution'],
  // Detail
  shares: ['shareOfWeight'],
  layers: ['leader'],
  modules: ['weight'],
  cell: ['margin', 'entropy', 'topKProbability', 'contribution'],
  affinities: ['affinity', 'weight'],
  routerLogits: ['routerLogit', 'weight'],
  // Summary
  usage: ['usage'],
  corpus: ['corpusRatio'],
  load: ['effective', 'cv', 'maxVio', 'evenness', 'dead'],
  loadByLayer: ['evenness'],
  usageByLayer: ['usageByLayer'],
  entropy: ['entropy'],
  coactivation: ['together'],
  attracted: ['attracted'],
  // A part of the text
  scopeUsage: ['usage'],
  scopeChange: ['scopeChange'],
  // Predictions
  alternatives: ['alternatives'],
  next: ['alternatives'],
  surprise: ['probability', 'kl'],
  // What if
  effect: ['flipped', 'logProb', 'kl'],
  effectByLayer: ['direct', 'downstream'],
  attribution: ['attribution'],
  lens: ['lens'],
  // Compare
  agreement: ['topKOverlap', 'flipped', 'divergence', 'logProb'],
  compareByLayer: ['topKOverlap', 'divergence'],
  compareUsage: ['usageChange'],
  compareMost: ['flipped', 'logProbChange'],
  // An atlas: its map, by what colours it, and its other figures
  atlas_load: ['corpusLoad', 'dead'],
  atlas_lift: ['lift', 'specialised'],
  atlas_specialisation: ['corpusSpecialisation', 'specialised'],
  atlas_entropy: ['evenness'],
  atlas_ablation: ['ablated'],
  atlasFound: ['search'],
  atlasLayers: ['dead', 'cv', 'effective', 'maxVio', 'information'],
  atlasUnit: ['corpusLoad', 'corpusSpecialisation'],
  atlasLabels: ['lift', 'q', 'specialised'],
  atlasTokens: ['tokenLift'],
  atlasContexts: ['contexts'],
  atlasPairs: ['pairLift'],
  atlasSimilar: ['similar'],
  atlasAblation: ['ablated'],
} as const satisfies Record<string, readonly NumberName[]>;

export type FigureName = keyof typeof figures;
