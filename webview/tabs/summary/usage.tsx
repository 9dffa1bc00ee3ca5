/** How often each expert was chosen, with what chance would give. */
import { sort } from 'd3-array';
import { layerAt, type SharedModules } from '../../../src/trace/model/access.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { knockedOut } from '../../../src/trace/figures/usage.js';
import { Bars, barsPlot, whiskerOf } from '../../components/bars.js';
import { useStore } from '../../components/context.js';
import { Figure } from '../../components/figure.js';
import { layerName, plainName } from '../../look/names.js';
import { inPercent, percent, rangeText, t, whole } from '../../look/strings.js';
import { intervalsOf, usageOf } from '../../store/sums.js';

/** Nobody reads more bars than this; the table has everything. */
export const most = 24;
const mostOfLayer = 12;

export function UsageFigure({ trace, modules }: { readonly trace: Trace; readonly modules: SharedModules }) {
  const store = useStore();
  const usage = usageOf(trace, modules);
  const looks = store.main.looks.value(modules.set);
  // For half a run they say little, and they take long to compute.
  const intervals = store.main.scoresFollow.value ? undefined : intervalsOf(trace, modules);
  const order = sort(usage.share.keys(), (e) => -usage.share[e]!);
  const out = knockedOut(trace, modules, usage);
  const isOut = (e: number) => out[e] === 'all';
  // If each layer has its own experts, people want to see the next layer rather than all of this one.
  const some = modules.set.scope === 'pool' ? most : mostOfLayer;
  const shown = order.length > most ? order.slice(0, some) : order;
  const list = shown.map((e) => ({
    expert: e,
    value: usage.share[e]!,
    text: percent(usage.share[e]!),
    ...(isOut(e) && { note: t('knockedOut') }),
    // Of an expert that could not be chosen, chance says nothing.
    ...(usage.chance[e]! > 0 && { reference: usage.chance[e]! }),
    ...whiskerOf(intervals?.[e]),
  }));
  const isOfLayer = modules.set.scope === 'layer';
  const caption = [
    isOfLayer ? t('usageCaptionOf', layerName(layerAt(trace, trace.modules[modules.modules[0]!]!))) : t('usageCaption'),
    list.some(({ low }) => low !== undefined) && t('usageWhiskers'),
    order.length > shown.length && t('usageMost', some, order.length),
  ];
  return (
    <Figure
      name="usage"
      title={t('usage')}
      caption={caption.filter(Boolean).join(' ')}
      plot={() => barsPlot(looks, list, inPercent(t('usage')), { reference: t('chance'), interval: t('interval') })}
      chart={() => (
        <Bars
          looks={looks}
          least={0.1}
          press={(e) => store.setFilter({ experts: [modules.experts[e]!.id] })}
          list={list}
        />
      )}
      table={() => ({
        head: [t('expert'), t('share'), t('interval'), t('chance'), t('usageRow')],
        count: order.length,
        row: (i) => {
          const e = order[i]!;
          return [
            plainName(modules.set, e),
            percent(usage.share[e]!),
            isOut(e) ? t('knockedOut') : intervals ? rangeText(intervals[e]!) : '–',
            isOut(e) ? '–' : percent(usage.chance[e]!),
            whole(usage.counts[e]!),
          ];
        },
      })}
    />
  );
}
