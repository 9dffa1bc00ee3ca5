/** A part of the text in a few charts, compared with the rest. */
import { sort } from 'd3-array';
import type { SharedModules } from '../../src/trace/model/access.js';
import { contrast, type Contrast } from '../../src/trace/figures/contrast.js';
import type { TextScope } from '../../src/trace/text/scopes.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { isSmallSample, knockedOut } from '../../src/trace/figures/usage.js';
import { chanceLoadOf, load } from '../../src/statistics/load.js';
import { Bars, barsPlot, whiskerOf } from '../components/bars.js';
import { useStore } from '../components/context.js';
import { Figure, Part } from '../components/figure.js';
import { rowsOf, Table } from '../components/table.js';
import { plainName } from '../look/names.js';
import { fixed, inPercent, percent, rangeText, signed, t } from '../look/strings.js';
import { once } from '../store/sums.js';
import { scopeName } from './names.js';

interface Props {
  readonly trace: Trace;
  readonly modules: SharedModules;
  readonly scope: TextScope;
}

/** Nobody reads more bars than this; the tables have everything. */
const most = 12;

export function ScopeSummary({ trace, modules, scope }: Props) {
  const store = useStore();
  const found = once(trace, `contrast ${modules.modules.join(' ')} ${scope.key} ${scope.ranges.join(' ')}`, () =>
    contrast(trace, modules, scope.ranges),
  );
  const { inside, outside } = found;
  const name = scopeName(store, scope);
  if (inside.tokens === 0) return <p class="hint">{t('smallNone')}</p>;
  return (
    <>
      <p class="caption about">{t('scopeAbout', name, inside.tokens, outside.tokens)}</p>
      {isSmallSample(inside.tokens) && <Small text={t('small', inside.tokens)} />}
      {outside.tokens > 0 && isSmallSample(outside.tokens) && <Small text={t('scopeSmallRest', outside.tokens)} />}
      <Inside trace={trace} modules={modules} found={found} name={name} />
      {outside.choices > 0 && <Change modules={modules} found={found} name={name} />}
      <Loads found={found} name={name} />
      <p class="hint">{t('scopeOnly')}</p>
    </>
  );
}

function Small({ text }: { readonly text: string }) {
  return (
    <p class="warning" role="note">
      {text}
    </p>
  );
}

interface Told {
  readonly trace: Trace;
  readonly modules: SharedModules;
  readonly found: Contrast;
  readonly name: string;
}

const points = (x: number) => signed(x * 100, 1);

/** Experts by the size of their value, largest first. */
const largest = (values: Float64Array) => sort(values.keys(), (e) => -Math.abs(values[e]!));

function Inside({ trace, modules, found: { inside, outside, intervals }, name }: Told) {
  const store = useStore();
  const out = knockedOut(trace, modules, inside);
  const isOut = (e: number) => out[e] === 'all';
  const order = largest(inside.share);
  const looks = store.main.looks.value(modules.set);
  const isContrast = outside.choices > 0;
  const list = order.slice(0, most).map((e) => ({
    expert: e,
    value: inside.share[e]!,
    text: percent(inside.share[e]!),
    ...(isOut(e) && { note: t('knockedOut') }),
    ...(inside.chance[e]! > 0 && { reference: isContrast ? outside.share[e]! : inside.chance[e]! }),
    ...whiskerOf(intervals[e]),
  }));
  const compared = t(isContrast ? 'scopeRest' : 'chance');
  return (
    <Figure
      name="scopeUsage"
      title={t('scopeUsage', name)}
      caption={[
        t(isContrast ? 'scopeUsageCaption' : 'usageCaption'),
        list.some(({ low }) => low !== undefined) && t('usageWhiskers'),
      ]
        .filter(Boolean)
        .join(' ')}
      plot={() => barsPlot(looks, list, inPercent(t('usage')), { reference: compared, interval: t('interval') })}
      chart={() => (
        <Bars
          looks={looks}
          least={0.1}
          press={(e) => store.setFilter({ experts: [modules.experts[e]!.id] })}
          list={list}
        />
      )}
      table={() =>
        rowsOf(
          [t('expert'), t('share'), t('interval'), t('scopeRest'), t('chance')],
          order.map((e) => [
            plainName(modules.set, e),
            percent(inside.share[e]!),
            isOut(e) ? t('knockedOut') : rangeText(intervals[e]!),
            isContrast ? percent(outside.share[e]!) : '–',
            isOut(e) ? '–' : percent(inside.chance[e]!),
          ]),
        )
      }
    />
  );
}

function Change({ modules, found: { change, changeIntervals }, name }: Omit<Told, 'trace'>) {
  const store = useStore();
  const order = largest(change);
  const looks = store.main.looks.value(modules.set);
  const list = order.slice(0, most).map((e) => {
    const { low, high } = changeIntervals[e]!;
    return {
      expert: e,
      value: change[e]!,
      text: points(change[e]!),
      ...whiskerOf(changeIntervals[e]),
      weak: low <= 0 && high >= 0,
    };
  });
  const value = { title: t('scopeChange', name), unit: t('percentagePoints'), times: 100 };
  return (
    <Figure
      name="scopeChange"
      title={t('scopeChange', name)}
      caption={t('scopeChangeCaption')}
      plot={() => barsPlot(looks, list, value, { interval: t('interval'), weak: t('corpusByChance') })}
      chart={() => <Bars looks={looks} least={0.02} list={list} />}
      table={() =>
        rowsOf(
          [t('expert'), t('scopeDifference'), t('interval')],
          order.map((e) => [plainName(modules.set, e), points(change[e]!), rangeText(changeIntervals[e]!, points)]),
        )
      }
    />
  );
}

function Loads({ found: { inside, outside }, name }: Pick<Told, 'found' | 'name'>) {
  const [here, there] = [load(inside.share, inside.chance), load(outside.share, outside.chance)];
  const chance = chanceLoadOf(inside);
  const row = (title: string, text: (x: typeof here) => string, even: string) => [
    title,
    text(here),
    outside.choices > 0 ? text(there) : '–',
    even,
  ];
  return (
    <Part name="load" title={t('loadTitle')}>
      <Table
        caption={t('loadTitle')}
        rows={rowsOf(
          ['', name, t('scopeRest'), t('chance')],
          [
            row(t('loadEffective'), (x) => fixed(x.effective, 2), fixed(chance.effective, 2)),
            row(t('loadCv'), (x) => fixed(x.cv, 2), fixed(chance.cv, 2)),
            row(t('loadMaxVio'), (x) => fixed(x.maxVio, 2), '–'),
            row(t('loadEntropy'), (x) => fixed(x.entropyRatio, 2), fixed(chance.entropyRatio, 2)),
            row(t('loadDead'), (x) => t('of', x.dead.length, x.experts), '–'),
          ],
        )}
      />
    </Part>
  );
}
