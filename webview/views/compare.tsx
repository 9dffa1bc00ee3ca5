/** Two runs side by side: how far their choices agree, where they do not, and what it does to the predictions. */
import { meanOf } from '../../src/statistics/mean.js';
import { tokenLabel } from '../../src/trace/label.js';
import type { Difference } from '../../src/trace/difference.js';
import type { Sequence } from '../../src/trace/trace.js';
import type { Strategy } from '../../src/shared/source.js';
import { reasonAgainst } from '../app/reasons.js';
import { Bars } from '../components/bars.js';
import { Button, Select } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { Figure } from '../components/figure.js';
import { Lines } from '../components/lines.js';
import { rowsOf } from '../components/table.js';
import { fixed, percent, signed, t } from '../look/strings.js';
import { sideName } from './sides.js';
import { choosing, filledIn, strategyTitle } from './strategy.js';

export function Compare() {
  const store = useStore();
  const [main, other] = [store.main.trace.value, store.other.trace.value];
  if (!main || !other) return <Start />;
  // Of the text that one looks at.
  const wanted = store.view.selection.value.sequence;
  const found = store.work.differences(main, other)?.[wanted];
  if (!found) return <p class="hint">{t('compareWaiting')}</p>;
  return (
    <>
      <Sides main={main.sequences[wanted]} other={other.sequences[wanted]} />
      <Agreement found={found} change={meanLogProb(other.sequences[wanted]) - meanLogProb(main.sequences[wanted])} />
      {found.layers.length > 0 && <ByLayer found={found} />}
      {found.usage ? (
        <UsageFigure usage={found.usage} />
      ) : (
        found.sites.length > 0 && <p class="hint">{t('compareUsageNone')}</p>
      )}
      <Most sequence={main.sequences[wanted]!} index={wanted} found={found} />
      <Button
        press={() => {
          store.send({ type: 'closeCompare' });
        }}
        data-focus="compare-stop"
      >
        {t('compareStop')}
      </Button>
    </>
  );
}

/** Of a token; NaN where it is not known. */
const meanLogProb = (sequence: Sequence | undefined) => meanOf(sequence?.logProb ?? []);

const nats = (text: string, value: number) => (Number.isFinite(value) ? t('nats', text) : '–');

function Sides(sides: { readonly main: Sequence | undefined; readonly other: Sequence | undefined }) {
  const store = useStore();
  return (
    <table class="sides">
      <caption class="unseen">{t('compareSides')}</caption>
      <tbody>
        {(['main', 'other'] as const).map((side) => {
          const value = meanLogProb(sides[side]);
          return (
            <tr key={side}>
              <th scope="row">{t(side === 'main' ? 'compareThis' : 'compareOther')}</th>
              <td>{sideName(store, side)}</td>
              <td class="number">{nats(fixed(value), value)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Agreement({ found: { all, alignment }, change }: { readonly found: Difference; readonly change: number }) {
  const same = alignment.same.reduce((n, x) => n + x, 0);
  return (
    <dl class="numbers">
      <dt>{t('compareSaturation')}</dt>
      <dd>
        {percent(all.saturation)}
        <span class="faint"> {t('loadChance', percent(all.chanceSaturation))}</span>
      </dd>
      <dt>{t('compareFlipped')}</dt>
      <dd>{percent(all.flipped)}</dd>
      <dt>{t('compareJs')}</dt>
      <dd>{Number.isFinite(all.divergence) ? t('bits', fixed(all.divergence, 3)) : '–'}</dd>
      <dt>{t('compareLogProb')}</dt>
      <dd>{nats(signed(change, 3), change)}</dd>
      <dt>{t('compareAligned')}</dt>
      <dd>{t('of', same, alignment.same.length)}</dd>
    </dl>
  );
}

function ByLayer({ found: { all, byLayer, layers } }: { readonly found: Difference }) {
  const shares = byLayer.map(({ saturation }) => saturation);
  return (
    <Figure
      name="compareByLayer"
      title={t('compareByLayer')}
      caption={t('compareByLayerCaption')}
      chart={() => (
        <Lines
          list={[{ values: shares, class: 'main' }]}
          reference={all.chanceSaturation}
          first={layers[0]?.layer ?? 0}
        />
      )}
      table={() =>
        rowsOf(
          [t('layerHead'), t('compareSaturation'), t('compareJs')],
          layers.map(({ stack, layer }, i) => [
            `${stack?.[0] ?? ''}${layer}`,
            percent(shares[i]!),
            fixed(byLayer[i]!.divergence, 3),
          ]),
        )
      }
    />
  );
}

function UsageFigure({ usage: { experts, change } }: { readonly usage: NonNullable<Difference['usage']> }) {
  const store = useStore();
  const sight = store.main.sight.value;
  if (!sight) return null;
  const looks = store.main.looks.value(sight.set);
  const known = experts.map((_, e) => e).filter((e) => e < sight.set.experts.length);
  return (
    <Figure
      name="compareUsage"
      title={t('compareUsage')}
      chart={() => (
        <Bars
          looks={looks}
          least={0.02}
          list={known.map((e) => ({ expert: e, value: change[e]!, text: signed(change[e]! * 100, 1) }))}
        />
      )}
      table={() =>
        rowsOf(
          [t('expert'), t('compareUsage')],
          experts.map(({ name }, e) => [name, signed(change[e]! * 100, 1)]),
        )
      }
    />
  );
}

/** The tokens whose choices differ most; pressing one goes there. */
function Most({
  sequence,
  index,
  found: { alignment, flips, sites, logProb },
}: {
  readonly sequence: Sequence;
  readonly index: number;
  readonly found: Difference;
}) {
  const store = useStore();
  const columns = alignment.a.length;
  const list = Array.from({ length: columns }, (_, c) => {
    let changed = 0;
    if (alignment.same[c]) for (let s = 0; s < sites.length; s++) if (flips[s * columns + c]! > 0) changed++;
    return { token: alignment.a[c]!, share: changed / sites.length, change: logProb[c]! };
  })
    .filter(({ token, share }) => token >= 0 && share > 0)
    .sort((a, b) => b.share - a.share)
    .slice(0, 12);
  return (
    <section class="figure">
      <header>
        <h3>{t('compareMost')}</h3>
      </header>
      <table>
        <caption class="unseen">{t('compareMost')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('tokenHead')}</th>
            <th scope="col" class="number">
              {t('compareDiffering')}
            </th>
            <th scope="col" class="number">
              {t('compareLogProbChange')}
            </th>
          </tr>
        </thead>
        <tbody>
          {list.map(({ token, share, change }) => (
            <tr key={token}>
              <th scope="row">
                <Button
                  press={() => {
                    store.select({ sequence: index, token });
                  }}
                  class="link"
                  data-focus={`most-${token}`}
                >
                  <code>{tokenLabel(sequence, token)}</code>
                </Button>
              </th>
              <td class="number">{percent(share)}</td>
              <td class="number">{signed(change)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What to compare with; the host runs it and sends the other side. */
function Start() {
  const store = useStore();
  const reason = reasonAgainst(store, 'route');
  const strategy = store.main.strategy.value;
  const interventions = store.main.interventions.value;
  const offered = (store.description.value?.can.strategies ?? []).filter(({ name }) => name !== strategy?.name);
  const chosen =
    offered.find(({ name }) => name === store.view.compareWith.value) ??
    offered.find((offer) => choosing(store).includes(offer)) ??
    offered[0];
  const compare = (selection: 'same' | 'editor', wanted: Strategy | undefined): void => {
    if (wanted)
      store.send({
        type: 'compare',
        strategy: wanted,
        interventions: selection === 'editor' ? interventions : [],
        selection,
      });
  };
  return (
    <div class="form">
      <p class="hint">{t('compareNone')}</p>
      <h3>{t('compareStart')}</h3>
      {chosen && (
        <div class="formRow">
          <span>{t('compareSame')}</span>
          <Select
            label={t('compareWith')}
            value={chosen.name}
            options={offered.map(({ name }) => [name, strategyTitle(store, name)] as const)}
            change={(name) => {
              store.set({ compareWith: name });
            }}
            data-focus="compare-with"
          />
          <Button
            press={() => {
              compare('same', filledIn(store, chosen.name, strategy));
            }}
            primary
            reason={reason}
            data-focus="compare-now"
          >
            {t('compareNow')}
          </Button>
        </div>
      )}
      <div class="formRow">
        <Button
          press={() => {
            compare('editor', strategy);
          }}
          reason={reason}
          data-focus="compare-editor"
        >
          {t('compareEditor')}
        </Button>
      </div>
      {interventions.length > 0 && (
        <div class="formRow">
          <Button
            press={() => {
              compare('same', strategy);
            }}
            reason={reason}
            data-focus="compare-without"
          >
            {t('compareWithout')}
          </Button>
        </div>
      )}
      {reason !== undefined && <p class="faint">{reason}</p>}
    </div>
  );
}
