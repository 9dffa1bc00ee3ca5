/** The stops of the tour: what each points at, what it says, and what must be in view for that. */
import type { LessonWord } from '../../src/words/lessonWords.js';
import type { RunRequestName } from '../../src/requests/table.js';
import { textTokens } from '../../src/trace/model/access.js';
import { isMixture, weighing } from '../../src/trace/model/router.js';
import { isMeasure, lackFor } from '../../src/trace/figures/colouring.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { visible } from '../../src/trace/text/label.js';
import { inability } from '../store/reasons.js';
import { say } from '../lessons/strings.js';
import { t } from '../look/strings.js';
import type { Tab } from '../store/state.js';
import type { Store } from '../store/store.js';
import { askStrongWhatIf, most } from './strongWhatIf.js';
import type { GridScene } from '../map/scene.js';

export interface Panel {
  readonly store: Store;
  readonly scene: GridScene;
}

export interface Step {
  readonly title: LessonWord;
  /** Depends on what the panel shows: a pool or a mixture, with or without scores, a model, a saved run or two runs. */
  readonly text: (panel: Panel) => string;
  /** Selectors; the first that the page has is pointed at. */
  readonly at: readonly string[];
  readonly tab?: Tab;
  /** It is about a selected cell. */
  readonly isOfCell?: true;
  /** What can be tried there with one press. */
  readonly offer?: {
    readonly label: (store: Store) => string;
    readonly request: RunRequestName;
    readonly act: (store: Store) => Promise<void>;
  };
}

/** Whether the run has predictions. */
const isPredicted = ({ store }: Panel): boolean => {
  const trace = store.main.trace.value;
  return trace !== undefined && lackFor(trace, 'surprise') === undefined;
};

const ofMixture = ({ main: { trace } }: Store): boolean => trace.value !== undefined && isMixture(trace.value);

/** What a token, a module, a router and an expert are, in this text and this model. */
const firstText = ({ store }: Panel): string => {
  const trace = store.main.trace.value;
  const sequence = trace?.sequences[0];
  const texts = sequence ? Array.from(textTokens(sequence), (t) => sequence.tokens.text?.[t] ?? '') : [];
  const example = texts.find((text) => /\p{L}{2}/u.test(text)) ?? texts[0];
  if (!trace || !example) return say('tourRunText');
  const { k, experts } = trace.blocks[0]!;
  const word = isMixture(trace) ? 'tourRunMixture' : weighing(trace) === 'fixed' ? 'tourRunFixed' : 'tourRunPool';
  const places = isMixture(trace) ? layerCount(trace) : trace.modules.length;
  return say(word, sequence!.tokens.count, visible(example.trim()), places, k, experts);
};

/** A layer may have several routers. */
function layerCount({ modules }: Trace): number {
  return new Set(modules.map(({ stack, layer }) => layerKey({ layer, ...(stack && { stack }) }))).size;
}

const scoresText = ({ store }: Panel): LessonWord => {
  const trace = store.main.trace.value;
  if (!trace) return 'tourAffinityNone';
  const lack = lackFor(trace, 'entropy');
  const isAbsent = lack === 'affinityNone' || lack === 'routerLogitNone';
  if (isMixture(trace)) return isAbsent ? 'tourRouterLogitNone' : 'tourRouterLogit';
  return isAbsent ? 'tourAffinityNone' : affinityTexts[weighing(trace)];
};

const affinityTexts = { chosen: 'tourAffinity', scaled: 'tourAffinityScaled', fixed: 'tourAffinityFixed' } as const;

export const steps: readonly Step[] = [
  { title: 'tourRun', text: firstText, at: ['.headBar .title'] },
  {
    title: 'tourStrategy',
    text: ({ store }) =>
      say(
        store.main.shownExperts.value?.layer
          ? 'tourStrategyNative'
          : inability(store, 'route') === undefined
            ? 'tourStrategyText'
            : 'tourStrategyFixed',
      ),
    at: ['.headBar .strategy', '.headBar'],
  },
  {
    title: 'tourLegend',
    text: ({ store }) => say(store.main.shownExperts.value?.layer ? 'tourLegendLayer' : 'tourLegendText'),
    at: ['.legend'],
  },
  {
    title: 'tourMap',
    text: ({ scene }) => {
      const shows = scene.raster.value?.shows ?? 'experts';
      if (isMeasure(shows)) return say('tourMapMeasure', t(`colour_${shows}`));
      return say(scene.isChange.value ? 'tourMapChange' : scene.isLines.value ? 'tourMapLines' : 'tourMapGrid');
    },
    at: ['.plot', '.toolbar'],
  },
  {
    title: 'tourCell',
    text: () => say('tourCellText'),
    at: ['.tabBody .sentence', '.tabBody'],
    tab: 'cell',
    isOfCell: true,
  },
  {
    title: 'tourExperts',
    text: (panel) => say(scoresText(panel)),
    at: ['[data-figure=affinities]', '[data-figure=routerLogits]', '.tabBody .hint', '.tabBody .sentence'],
    tab: 'cell',
    isOfCell: true,
  },
  { title: 'tourUsage', text: () => say('tourUsageText'), at: ['[data-figure=usage]', '.tabBody > *'], tab: 'summary' },
  {
    title: 'tourPredictions',
    text: (panel) => say(isPredicted(panel) ? 'tourPredictionsText' : 'tourPredictionsNone'),
    at: ['[data-figure=surprise]', '.tabBody > *'],
    tab: 'predictions',
  },
  {
    title: 'tourWhatIf',
    text: ({ store }) =>
      say(
        inability(store, 'whatIf') !== undefined
          ? 'tourWhatIfNone'
          : store.main.interventions.value.length > 0
            ? 'tourWhatIfTold'
            : ofMixture(store)
              ? 'tourWhatIfMixture'
              : 'tourWhatIfText',
        most,
      ),
    at: ['[data-figure=effect]', '.tabBody .form', '.tabBody > *'],
    tab: 'whatIf',
    offer: {
      label: (store) => (ofMixture(store) ? say('tourWhatIfFindMost', most) : say('tourWhatIfFind')),
      request: 'attribute',
      act: askStrongWhatIf,
    },
  },
  {
    title: 'tourCompare',
    text: ({ store }) =>
      say(
        !store.other.isThere.value
          ? 'tourCompareText'
          : store.differBy.value === 'choices'
            ? 'tourComparing'
            : 'tourComparingPredictions',
      ),
    at: ['[data-figure=agreement]', '.tabBody .form', '.tabBody > *'],
    tab: 'compare',
  },
];

/** Brings into view what a step is about. The user's own selection is kept. */
export function prepare({ tab, isOfCell }: Step, { store }: Panel): void {
  if (tab) store.set({ tab });
  if (isOfCell) selectCell(store);
}

function selectCell(store: Store): void {
  const trace = store.main.trace.peek();
  const { token, end, module, sequence } = store.view.selection.peek();
  const own = trace?.sequences[sequence];
  if (!trace || !own || (token >= 0 && end === undefined && module >= 0)) return;
  const modules = trace.modules.flatMap((one, s) => (one.sequence === sequence ? [s] : []));
  const middle = modules[Math.floor(modules.length / 2)];
  const at = token >= 0 && token < own.done ? token : Math.floor(own.done / 2);
  // As if from the host: the editor stays where it is.
  store.select({ token: at, ...(middle !== undefined && store.spot(middle)) }, 'host');
}
