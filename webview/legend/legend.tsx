/** The experts by colour, pattern, short label and name; pressing one shows only its choices. */
import { sort, sum } from 'd3-array';
import { useSignal } from '@preact/signals';
import { quiet } from '../../src/look/palette.js';
import { type Layer, layersOf } from '../../src/trace/model/access.js';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import {
  colourings,
  isByLayer,
  isMeasure,
  lackFor,
  type Colouring,
  type TextMeasure,
} from '../../src/trace/figures/colouring.js';
import type { ShownExperts } from '../../src/trace/model/shownExperts.js';
import { layerOf } from '../../src/trace/model/shownExperts.js';
import type { AtlasUnit } from '../../src/protocol/atlas.js';
import { bothNames, calledOf, quotedWords, unitOf } from '../store/atlas.js';
import type { Store } from '../store/store.js';
import { Button, Select, classes, type Option } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Badge } from '../components/expert.js';
import { Explain } from '../components/explain.js';
import { OneLine } from '../components/oneLine.js';
import { Toolbar } from '../components/toolbar.js';
import type { GridScene } from '../map/scene.js';
import { layerKey } from '../../src/trace/model/shownExperts.js';
import { scoreName } from '../../src/trace/text/label.js';
import { explainedAs, textScaleOf } from '../map/words.js';
import { classOf, shortLabelOf } from '../look/looks.js';
import { layerName, plainName } from '../look/names.js';
import { isCompact } from '../look/room.js';
import { ends, percent, signed, t } from '../look/strings.js';
import { sharesOf } from '../store/sums.js';

export function Legend({ scene }: { readonly scene: GridScene }) {
  const store = useStore();
  const [trace, shownExperts] = [store.main.choices.value, store.main.shownExperts.value];
  if (!trace || !shownExperts) return null;
  const by = store.colouredBy.value;
  // Neither nothing nor attribution colours the map's cells, which stay experts'. Attribution names experts of all layers, which one layer's legend does not have. An expert's column has its share, and a number
  // of the routers only the margin.
  const isLed = by === 'experts' || (by === 'attribution' && !shownExperts.layer);
  const hasChips = isLed || scene.isByExpert.value || by === 'nothing';
  return (
    <Toolbar class="legend" label={t('legend')}>
      <ColourBy shownExperts={shownExperts} />
      {store.awaitedColour.value && <Of what={t(`${scoreName(trace)}Later`)} />}
      {isCompact.value && <Explain name={explainedAs(store)} title={t('colourBy')} />}
      {isMeasure(by) && <MeasureScale by={by} scene={scene} />}
      {hasChips && <WeightScale scene={scene} shownExperts={shownExperts} />}
      {by !== 'change' && <ChangedMarks scene={scene} />}
      {hasChips && <Chips trace={trace} shownExperts={shownExperts} />}
      {by === 'change' && <ChangeScale />}
      {by === 'attribution' && <Of what={t(scene.isLines.value ? 'scaleAttributionLines' : 'scaleAttribution')} />}
    </Toolbar>
  );
}

/** One choice for text and map. If each layer has its own experts, the layer is chosen too: no colours apply to all. */
function ColourBy({ shownExperts }: { readonly shownExperts: ShownExperts }) {
  const store = useStore();
  // The trace with its scores, once they have arrived.
  const trace = store.main.trace.value!;
  const { measureLayer } = store.view;
  const awaited = store.awaitedColour.value;
  const by = awaited ?? store.colouredBy.value;
  const hasLayerExperts = shownExperts.layer !== undefined;
  const scores = scoreName(trace);
  const options = [
    ...colourings.map((name): Option => {
      const title = t(
        name === 'experts' && !hasLayerExperts
          ? 'colour_leader'
          : name === 'nothing'
            ? 'colourText_nothing'
            : `colour_${name}`,
      );
      const lack = lackFor(trace, name);
      const isToCome = lack === `${scores}None` && store.main.scoresFollow.value;
      return lack === undefined || name === awaited
        ? [name, title]
        : [name, title, t(isToCome ? `${scores}Later` : lack)];
    }),
    ['change', t(changeName(store)), store.against.value ? undefined : t('changeNone')] as const,
    [
      'attribution',
      t('colourText_attribution'),
      store.main.attribution.value ? undefined : t('attributionNone'),
    ] as const,
  ];
  const layers = layersOf(trace).map((layer): Option => [layerKey(layer), layerName(layer)]);
  const layerFor = (name: Colouring) =>
    name === 'experts'
      ? shownExperts.layer
        ? layerKey(shownExperts.layer)
        : store.view.colourLayer.value
      : layerOf(trace, measureLayer.value)
        ? measureLayer.value
        : '';
  const layered = (by === 'experts' ? hasLayerExperts : isMeasure(by) && isByLayer(by)) ? (by as Colouring) : undefined;
  return (
    <span class="field colourBy">
      <span class="what">{t('colourBy')}</span>
      <Select
        label={t('colourBy')}
        title={awaited === undefined ? t('colourBy') : t(`${scores}Later`)}
        value={by}
        options={options}
        change={(value) => {
          if (value === 'change' || value === 'attribution') store.overlay(value);
          else store.colour({ by: value as Colouring, layer: layerFor(value as Colouring) });
        }}
        data-focus="colour-by"
      />
      {layered && (
        <Select
          label={t(layered === 'experts' ? 'colourLayer' : 'measureLayer')}
          value={layerFor(layered)}
          options={layered === 'experts' ? layers : [['', t('allLayers')], ...layers]}
          change={(layer) => store.colour({ by: layered, layer })}
          data-focus="colour-layer"
        />
      )}
    </span>
  );
}

const changeName = ({ other, against }: Store) =>
  other.choices.value || !against.value ? 'colour_change' : 'colour_changed';

/** What the weakest and the strongest colour of the map mean, and of the text if these are others. */
function MeasureScale({ by, scene }: { readonly by: TextMeasure; readonly scene: GridScene }) {
  const found = scene.scale.value;
  if (!found || Number.isNaN(found.weak)) return null;
  const isBeside = scene.isByExpert.value;
  const own = textScaleOf(scene);
  const inText = own && t('scaleText', ...own);
  return (
    <>
      <Scale ends={ends(found)} steps={rising} title={inText} />
      {isBeside && <Of what={t('scaleBeside')} />}
      {!isBeside && !isByLayer(by) && <Of what={t('scaleAlike')} isNeeded />}
      {inText !== undefined && <Of what={inText} />}
    </>
  );
}

/** Where one expert alone is shown: which share of the weight its weakest and its strongest colour are. */
function WeightScale({
  scene,
  shownExperts: { set },
}: {
  readonly scene: GridScene;
  readonly shownExperts: ShownExperts;
}) {
  const store = useStore();
  const { share, most, rows, isPale } = scene.raster.value ?? {};
  const chosen = store.view.filter.value.experts;
  const expert = set.experts.findIndex(({ id }) => chosen.includes(id));
  if (!share || most === undefined || expert < 0 || rows?.some((row) => row.expert !== undefined)) return null;
  const look = classOf(store.main.looks.value(set).slots[expert]!);
  return (
    <Scale
      ends={[percent(0), percent(most)]}
      steps={strengths.map((strength) => classes('shade', isPale && 'pale', look, strength))}
      of={t('scaleWeight')}
    />
  );
}

const strengths = ['s0', 's1', 's2', 's3', 's4'];
/** As the map draws numbers. */
const rising = strengths.map((strength) => `measured shade ${strength}`);
/** From one hue to the other. */
const twoSided = ['s4', 's2', 's0', 'gain s0', 'gain s2', 'gain s4'].map((strength) => `measured shade ${strength}`);

/** After a what-if: how the map marks what it changed. */
function ChangedMarks({ scene }: { readonly scene: GridScene }) {
  if (scene.raster.value?.changed === undefined) return null;
  const isFading = scene.store.view.fadeUnchanged.value;
  const said = [t('scaleChangedHint'), ...(isFading ? [t('scaleUnchangedHint')] : [])].join(' ');
  return (
    <span class="scale marks" role="img" aria-label={said} title={said}>
      <span class="mark corner" />
      {t('scaleChanged')}
      {isFading && (
        <>
          <span class="mark faded" />
          {t('scaleUnchanged')}
        </>
      )}
    </span>
  );
}

function ChangeScale() {
  const change = useStore().changes.value?.[0];
  if (!change) return null;
  const { by, most, isPast } = change;
  return by === 'choices' ? (
    <Scale ends={[percent(0), percent(1)]} steps={rising} of={t('scaleChoices')} isNeeded />
  ) : (
    <Scale
      ends={ends({ weak: -most, strong: most, isPast }, signed)}
      steps={twoSided}
      of={t('scaleLikelier')}
      isNeeded
    />
  );
}

function Scale({
  ends: [from, to],
  steps,
  of,
  title,
  isNeeded,
}: {
  readonly ends: readonly [from: string, to: string];
  readonly steps: readonly string[];
  readonly of?: string;
  readonly title?: string | undefined;
  readonly isNeeded?: boolean | undefined;
}) {
  const said = of === undefined ? t('scale', from, to) : t('scaleOf', of, from, to);
  return (
    <>
      <span class="scale" role="img" aria-label={said} title={title}>
        {from}
        {steps.map((step) => (
          <span key={step} class={`t ${step}`} />
        ))}
        {to}
      </span>
      {of !== undefined && <Of what={of} isNeeded={isNeeded} />}
    </>
  );
}

/** What the colours show. @param isNeeded nothing else in view says it, so it has a line of its own where there is no room beside */
function Of({ what, isNeeded }: { readonly what: string; readonly isNeeded?: boolean | undefined }) {
  return (
    <span class={classes('scale of', isNeeded && 'needed')} title={what}>
      {what}
    </span>
  );
}

function Chips({ trace, shownExperts }: { readonly trace: Trace; readonly shownExperts: ShownExperts }) {
  const store = useStore();
  const { set } = shownExperts;
  const looks = store.main.looks.value(set);
  const share = sharesOf(trace, shownExperts);
  const chosen = store.view.filter.value.experts;
  // Most used first: these are in sight where there is not room for all.
  const coloured = sort(
    [...set.experts.keys()].filter((e) => looks.slots[e] !== quiet),
    (e) => -share[e]!,
  );
  const rest = set.experts.length - coloured.length;
  const isOpen = store.view.legendOpen.value;
  // A model card comes from a source that is here; a saved trace has none.
  const withCard =
    chosen.length === 1
      ? store.description.value?.experts.find(({ id, card }) => id === chosen[0] && card === true)
      : undefined;
  return (
    <>
      <OneLine
        isOpen={isOpen}
        more={({ parts, isBare }) => {
          const rest = set.experts.length - parts;
          return (
            (isOpen || rest > 0 || isBare) && (
              <Button
                press={() => store.set({ legendOpen: !isOpen })}
                class="more"
                aria-expanded={isOpen}
                title={isOpen ? t('legendLess') : rest > 0 ? t('legendMore', rest) : t('legendNames')}
                data-focus="legend-more"
              >
                {isOpen ? '−' : rest > 0 ? `+${rest}` : '…'}
              </Button>
            )
          );
        }}
      >
        {coloured.map((e) => (
          <Chip
            key={set.experts[e]!.id}
            set={set}
            expert={e}
            share={share[e]!}
            layer={shownExperts.layer}
            called={calledOf(unitOf(store, trace, shownExperts.layer, set.experts[e]!.id), plainName(set, e))}
            quoted={quotedWords(store, trace, shownExperts, [e])}
          />
        ))}
        {isOpen && rest > 0 && <Rest set={set} share={share} coloured={coloured} />}
      </OneLine>
      {withCard && (
        <Button
          press={() => store.send({ type: 'openCard', expert: withCard.id })}
          class="link card"
          data-focus="legend-card"
        >
          {t('openCard')}
        </Button>
      )}
      {chosen.length === 1 && <PageInAtlas unit={unitOf(store, trace, shownExperts.layer, chosen[0]!)} />}
      {chosen.length > 0 && (
        <Button press={() => store.setFilter({ experts: [] })} class="link" data-focus="legend-all">
          {t('showAll')}
        </Button>
      )}
    </>
  );
}

function PageInAtlas({ unit }: { readonly unit: AtlasUnit | undefined }) {
  const store = useStore();
  if (!unit) return null;
  return (
    <Button press={() => store.send({ type: 'unit', unit: unit.key })} class="link card" data-focus="legend-atlas">
      {t('showInAtlas')}
    </Button>
  );
}

function Chip({
  set,
  expert,
  share,
  layer,
  called,
  quoted,
}: {
  readonly set: ExpertSet;
  readonly expert: number;
  readonly share: number;
  /** Whose choices it is a share of; undefined: of all layers'. */
  readonly layer: Layer | undefined;
  /** By the model's atlas. */
  readonly called: string | undefined;
  /** What that is; empty if the atlas calls it nothing. */
  readonly quoted: string;
}) {
  const store = useStore();
  const chosen = store.view.filter.value.experts;
  const { id } = set.experts[expert]!;
  const isOn = chosen.includes(id);
  const own = plainName(set, expert);
  const names = bothNames(own, called);
  const said = layer
    ? t('legendShareLayer', names, percent(share), layerName(layer))
    : t('legendShare', names, percent(share));
  const isOnBadge = set.scope === 'layer' || own === shortLabelOf(set, expert);
  return (
    <Button
      press={() => {
        const now = store.view.filter.peek().experts;
        store.setFilter({ experts: now.includes(id) ? now.filter((one) => one !== id) : [...now, id] });
      }}
      class={classes('chip', chosen.length > 0 && !isOn && 'off')}
      aria-pressed={isOn}
      title={[said, quoted].filter(Boolean).join('\n')}
      data-focus={`legend-${id}`}
    >
      <span class="expert">
        <Badge looks={store.main.looks.value(set)} expert={expert} />
        {/* What its badge says already, is only read out. */}
        <span class={isOnBadge ? 'unseen' : 'name'}>{own}</span>
        {called !== undefined && <span class="called">{t('atlasCalled', called)}</span>}
        <span class="share">{percent(share)}</span>
      </span>
    </Button>
  );
}

const mostFound = 8;

/** All experts without a colour of their own, and a search that can give one a colour. */
function Rest({
  set,
  share,
  coloured,
}: {
  readonly set: ExpertSet;
  readonly share: Float64Array;
  readonly coloured: readonly number[];
}) {
  const store = useStore();
  const sought = useSignal('');
  const pinned = store.view.pinned.value;
  const rest = sum(share) - sum(coloured, (e) => share[e]);
  const query = sought.value.trim().toLowerCase();
  const isFound = (e: number) =>
    query !== '' && (shortLabelOf(set, e) === sought.value.trim() || plainName(set, e).toLowerCase().includes(query));
  const found = sort([...set.experts.keys()].filter(isFound), (e) => -share[e]!);
  return (
    <>
      <span class="expert rest" title={t('legendRestHint')}>
        <span class={classes('badge', classOf(quiet))} aria-hidden="true">
          …
        </span>
        <span class="name">{t('legendRest', set.experts.length - coloured.length)}</span>
        <span class="share">{percent(Math.max(0, rest))}</span>
      </span>
      <input
        type="search"
        class="find"
        placeholder={t('legendFind')}
        aria-label={t('legendFind')}
        value={sought.value}
        onInput={(event) => {
          sought.value = event.currentTarget.value;
        }}
        data-focus="legend-find"
      />
      {found.slice(0, mostFound).map((e) => {
        const { id } = set.experts[e]!;
        const isPinned = pinned.includes(id);
        const name = plainName(set, e);
        return (
          <Button
            key={`found ${id}`}
            press={() => store.set({ pinned: isPinned ? pinned.filter((one) => one !== id) : [...pinned, id] })}
            class="chip found"
            aria-pressed={isPinned}
            title={t(isPinned ? 'legendUnpin' : 'legendPin', name)}
            data-focus={`find-${id}`}
          >
            {t(isPinned ? 'legendUnpin' : 'legendPin', name)} {percent(share[e]!)}
          </Button>
        );
      })}
      {found.length > mostFound && <span class="faint">{t('chosenMore', found.length - mostFound)}</span>}
      {query !== '' && found.length === 0 && <span class="faint">{t('legendFoundNone')}</span>}
    </>
  );
}
