/** The experts by colour, pattern, letter and name; pressing one shows only its choices. */
import { useSignal } from '@preact/signals';
import { quiet } from '../../src/shared/palette.js';
import { layersOf } from '../../src/trace/access.js';
import type { ExpertSet, Trace } from '../../src/trace/trace.js';
import {
  colourings,
  isByLayer,
  isMeasure,
  lackFor,
  type Colouring,
  type TextMeasure,
} from '../../src/trace/colouring.js';
import type { Sight } from '../../src/trace/sight.js';
import { layerOf } from '../../src/trace/sight.js';
import { Button, Select, classes, type Option } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Badge } from '../components/expert.js';
import { OneLine } from '../components/oneLine.js';
import { layerKey } from '../../src/trace/sight.js';
import { classOf, signOf } from '../look/looks.js';
import { layerName, plainName } from '../look/names.js';
import { fixed, percent, t } from '../look/strings.js';
import { measuredOf, sharesOf } from './sums.js';

export function Legend() {
  const store = useStore();
  const [trace, sight] = [store.main.choices.value, store.main.sight.value];
  if (!trace || !sight) return null;
  const by = store.view.colouring.value;
  return (
    <div class="legend" role="group" aria-label={t('legend')}>
      {sight.layer && <ColourBy sight={sight} />}
      {(!sight.layer || by === 'experts') && <Chips trace={trace} sight={sight} />}
      {sight.layer && isMeasure(by) && <Scale by={by} />}
    </div>
  );
}

/** Where each layer has experts of its own there is no colour for all of them: a layer is chosen, or a number. */
function ColourBy({ sight }: { readonly sight: Sight }) {
  const store = useStore();
  // With its scores, when they have come.
  const trace = store.main.trace.value!;
  const by = store.view.colouring.value;
  const options = colourings.map((name): Option => {
    const lack = lackFor(trace, name);
    if (lack === undefined) return [name, t(`colour_${name}`)];
    const isToCome = lack === 'scoresNone' && store.main.scoresFollow.value;
    return [name, t(`colour_${name}`), t(isToCome ? 'affinityLater' : lack)];
  });
  const layers = layersOf(trace).map((layer): Option => [layerKey(layer), layerName(layer)]);
  const layerFor = (name: Colouring) =>
    name === 'experts'
      ? layerKey(sight.layer!)
      : layerOf(trace, store.view.measureLayer.value)
        ? store.view.measureLayer.value
        : '';
  return (
    <span class="field colourBy">
      {t('colourBy')}
      <Select
        label={t('colourBy')}
        value={by}
        options={options}
        change={(value) => {
          store.colour({ by: value as Colouring, layer: layerFor(value as Colouring) });
        }}
        data-focus="colour-by"
      />
      {isByLayer(by) && (
        <Select
          label={t(by === 'experts' ? 'colourLayer' : 'measureLayer')}
          value={layerFor(by)}
          options={by === 'experts' ? layers : [['', t('allLayers')], ...layers]}
          change={(layer) => {
            store.colour({ by, layer });
          }}
          data-focus="colour-layer"
        />
      )}
    </span>
  );
}

/** What the weakest and the strongest colour stand for. */
function Scale({ by }: { readonly by: TextMeasure }) {
  const store = useStore();
  const [trace, { sequence }] = [store.main.trace.value!, store.view.selection.value];
  const { weak, strong } = measuredOf(trace, sequence, by, layerOf(trace, store.view.measureLayer.value));
  if (Number.isNaN(weak)) return null;
  const [from, to] = [weak, strong].map((x) => fixed(x, Math.abs(strong - weak) < 0.1 ? 3 : 2)) as [string, string];
  return (
    <span class="scale" role="img" aria-label={t('scale', from, to)}>
      {from}
      {[0, 1, 2, 3, 4].map((level) => (
        <span key={level} class={`t measured s${level}`} />
      ))}
      {to}
    </span>
  );
}

function Chips({ trace, sight }: { readonly trace: Trace; readonly sight: Sight }) {
  const store = useStore();
  const { set } = sight;
  const looks = store.main.looks.value(set);
  const share = sharesOf(trace, sight);
  const chosen = store.view.filter.value.experts;
  // The most used first: those are on the one line that there is before one asks for more.
  const coloured = [...set.experts.keys()]
    .filter((e) => looks.slots[e] !== quiet)
    .sort((a, b) => share[b]! - share[a]! || a - b);
  const rest = set.experts.length - coloured.length;
  const isOpen = store.view.legendOpen.value;
  // A card is asked of a source that is here, not of a saved trace.
  const withCard =
    chosen.length === 1
      ? store.description.value?.experts.find(({ id, card }) => id === chosen[0] && card === true)
      : undefined;
  return (
    <>
      <OneLine
        isOpen={isOpen}
        more={(fitting) =>
          (isOpen || fitting < set.experts.length) && (
            <Button
              press={() => {
                store.set({ legendOpen: !isOpen });
              }}
              class="more"
              aria-expanded={isOpen}
              title={isOpen ? t('legendLess') : t('legendMore', set.experts.length - fitting)}
              data-focus="legend-more"
            >
              {isOpen ? '−' : `+${set.experts.length - fitting}`}
            </Button>
          )
        }
      >
        {coloured.map((e) => (
          <Chip key={set.experts[e]!.id} set={set} expert={e} share={share[e]!} />
        ))}
        {isOpen && rest > 0 && <Rest set={set} share={share} coloured={coloured} />}
      </OneLine>
      {withCard && (
        <Button
          press={() => {
            store.send({ type: 'openCard', expert: withCard.id });
          }}
          class="link"
          data-focus="legend-card"
        >
          {t('openCard')}
        </Button>
      )}
      {chosen.length > 0 && (
        <Button
          press={() => {
            store.setFilter({ experts: [] });
          }}
          class="link"
          data-focus="legend-all"
        >
          {t('showAll')}
        </Button>
      )}
    </>
  );
}

function Chip({ set, expert, share }: { readonly set: ExpertSet; readonly expert: number; readonly share: number }) {
  const store = useStore();
  const chosen = store.view.filter.value.experts;
  const { id } = set.experts[expert]!;
  const isOn = chosen.includes(id);
  const name = plainName(set, expert);
  return (
    <Button
      press={() => {
        const now = store.view.filter.peek().experts;
        store.setFilter({ experts: now.includes(id) ? now.filter((one) => one !== id) : [...now, id] });
      }}
      class={classes('chip', chosen.length > 0 && !isOn && 'off')}
      aria-pressed={isOn}
      title={t('legendShare', name, percent(share))}
      data-focus={`legend-${id}`}
    >
      <span class="expert">
        <Badge looks={store.main.looks.value(set)} expert={expert} />
        <span class={set.scope === 'pool' ? 'name' : 'unseen'}>{name}</span>
        <span class="share">{percent(share)}</span>
      </span>
    </Button>
  );
}

const mostFound = 8;

/** All experts without a colour of their own, and a search that brings one out. */
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
  const rest = share.reduce((sum, x) => sum + x, 0) - coloured.reduce((sum, e) => sum + share[e]!, 0);
  const query = sought.value.trim().toLowerCase();
  const found =
    query === ''
      ? []
      : [...set.experts.keys()]
          .filter((e) => signOf(set, e) === sought.value.trim() || plainName(set, e).toLowerCase().includes(query))
          .sort((a, b) => share[b]! - share[a]! || a - b);
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
            press={() => {
              store.set({ pinned: isPinned ? pinned.filter((one) => one !== id) : [...pinned, id] });
            }}
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
