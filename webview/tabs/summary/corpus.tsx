/** How often each expert was chosen in the text, beside the corpus of the model's atlas. */
import { layerKeyOf } from '../../../src/protocol/atlas.js';
import { layerAt, sharedModules, type Layer, type SharedModules } from '../../../src/trace/model/access.js';
import { besideCorpus, type BesideCorpus } from '../../../src/trace/figures/corpus.js';
import type { Stack, Trace } from '../../../src/trace/model/trace.js';
import { isSmallSample, smallSample } from '../../../src/trace/figures/usage.js';
import { Bars, barsPlot, whiskerOf } from '../../components/bars.js';
import { Button } from '../../components/controls.js';
import type { Store } from '../../store/store.js';
import { useStore } from '../../components/context.js';
import { Figure, Part } from '../../components/figure.js';
import { fixed, inPercent, percent, rangeText, t } from '../../look/strings.js';
import { atlasOf, fullName } from '../../store/atlas.js';
import { strategyTitle } from '../../store/strategies.js';
import { intervalsOf, usageOf } from '../../store/sums.js';
import { most } from './usage.js';

interface Props {
  readonly trace: Trace;
  readonly sequence: number;
  /** Undefined: all layers. */
  readonly layer: Layer | undefined;
}

export function CorpusFigure({ trace, sequence, layer }: Props) {
  const store = useStore();
  const atlas = atlasOf(store, trace);
  const modules = countedIn(trace, sequence, layer);
  if (!atlas || !modules || store.main.scoresFollow.value) return null;
  const place = { ...layerKeyOf(layer), stack: stackOf(trace, modules) };
  const units = modules.experts.map(({ id }) => atlas.find.at(place, id));
  if (units.every((unit) => unit === undefined)) return null;
  const title = t('corpusTitle');
  const otherwise = otherwiseRouted(store, trace, atlas);
  if (otherwise !== undefined)
    return (
      <Part name="corpus" title={title} plot={null}>
        <p class="hint">{otherwise}</p>
      </Part>
    );
  const usage = usageOf(trace, modules);
  const found = besideCorpus(usage, intervalsOf(trace, modules), units);
  const looks = store.main.looks.value(modules.set);
  const list = found.slice(0, most).map((one) => ({
    expert: one.expert,
    name: fullName(store, trace, { set: modules.set, layer }, one.expert),
    value: one.share,
    text: percent(one.share),
    ...whiskerOf(one.interval),
    reference: one.corpus.load,
    mark: marked(one),
    weak: one.apart === undefined,
  }));
  const open = (expert: number): void => {
    const unit = units[expert];
    if (unit) store.send({ type: 'unit', unit: unit.key });
  };
  return (
    <Figure
      name="corpus"
      title={title}
      caption={[t('corpusCaption', atlas.documents, atlas.model.name), chanceSaid(found, usage.tokens)].join(' ')}
      hint={t('corpusHint')}
      plot={() => barsPlot(looks, list, inPercent(t('usage')), keys())}
      chart={() => <Bars looks={looks} least={0.1} list={list} press={open} />}
      table={() => ({
        head: [
          t('expert'),
          t('corpusShare'),
          t('interval'),
          t('corpusLoad'),
          t('interval'),
          t('corpusTimes'),
          t('corpusSaid'),
        ],
        count: found.length,
        row: (i) => {
          const { expert, share, interval, corpus, times } = found[i]!;
          return [
            <Button key="open" class="link" press={() => open(expert)} data-focus={`corpus-${expert}`}>
              {fullName(store, trace, { set: modules.set, layer }, expert)}
            </Button>,
            percent(share),
            rangeText(interval),
            percent(corpus.load),
            corpus.low === null || corpus.high === null
              ? t('atlasNoInterval')
              : rangeText({ low: corpus.low, high: corpus.high }),
            factor(times),
            verdict(found[i]!),
          ];
        },
      })}
    />
  );
}

/** Why the text's loads are no match for the corpus's; undefined: both were routed alike. */
function otherwiseRouted(
  store: Store,
  { router, interventions }: Trace,
  { model, router: its }: NonNullable<ReturnType<typeof atlasOf>>,
): string | undefined {
  if (its.name !== router.name || its.k !== (router.k ?? null))
    return t('corpusOther', model.name, routerTitle(strategyTitle(store, its.name), its.k));
  return interventions.length > 0 ? t('corpusWhatIf', model.name) : undefined;
}

/** Whether the differences may be chance, or why that is not known. */
function chanceSaid(found: readonly BesideCorpus[], tokens: number): string {
  if (isSmallSample(tokens)) return t('corpusShort', smallSample);
  if (found.every(({ corpus }) => corpus.low === null)) return t('corpusNoInterval');
  return found.some(({ apart }) => apart) ? t('corpusApart') : t('corpusNone', tokens);
}

/** What lines, whiskers and pale bars are. */
const keys = () => ({ reference: t('corpusLoad'), interval: t('interval'), weak: t('corpusByChance') });

/** The modules of a text that an atlas counts: in a decoder, those that read the output. */
function countedIn(trace: Trace, sequence: number, layer: Layer | undefined): SharedModules | undefined {
  if (layer) return sharedModules(trace, { ...layer, sequence });
  const stacks = new Set(trace.modules.map(({ stack }) => stack));
  const stack = stacks.size < 2 ? undefined : sequence === 0 ? 'encoder' : 'decoder';
  return sharedModules(trace, { ...(stack && { stack }), sequence });
}

function stackOf(trace: Trace, { modules: [first] }: SharedModules): Stack | null {
  return layerAt(trace, trace.modules[first!]!).stack ?? null;
}

const routerTitle = (name: string, k: number | null): string => (k === null ? name : `${name}, k = ${k}`);

function factor(times: number): string {
  return Number.isFinite(times) ? t('corpusFactor', fixed(times, times < 10 ? 1 : 0)) : t('corpusNever');
}

function marked({ apart, times }: BesideCorpus): string {
  const arrow = apart === undefined ? '' : apart === 'more' ? '↑ ' : '↓ ';
  return `${arrow}${Number.isFinite(times) ? factor(times) : ''}`;
}

function verdict({ apart }: BesideCorpus): string {
  return apart === undefined ? t('corpusByChance') : t(apart === 'more' ? 'corpusMore' : 'corpusFewer');
}
