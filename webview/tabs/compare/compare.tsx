/** Two runs side by side: how far their choices agree, where they differ, and how that changes the predictions. */
import { tokenLabel } from '../../../src/trace/text/label.js';
import { isCutAlike } from '../../../src/trace/alignment/align.js';
import type { Difference } from '../../../src/trace/figures/difference.js';
import { tokensWithin } from '../../../src/trace/model/ranges.js';
import type { TextScope } from '../../../src/trace/text/scopes.js';
import { modulesOf } from '../../../src/trace/model/access.js';
import type { Sequence, Trace } from '../../../src/trace/model/trace.js';
import type { Strategy, StrategyOffer } from '../../../src/strategies/strategy.js';
import type { Store } from '../../store/store.js';
import { reasonAgainst } from '../../store/reasons.js';
import { expectResult } from '../../components/arrival.js';
import { Bars, barsPlot } from '../../components/bars.js';
import { Button } from '../../components/controls.js';
import { useStore } from '../../components/context.js';
import { ExpertSelect } from '../../components/expert.js';
import { Figure, Part } from '../../components/figure.js';
import { Lines } from '../../components/lines.js';
import { RouteAgain } from '../../components/routeAgain.js';
import { StrategyMenu } from '../../components/strategyMenu.js';
import { rowsOf } from '../../components/table.js';
import { fixed, inPercent, percent, signed, t } from '../../look/strings.js';
import { scopeCode } from '../../scope/load.js';
import { LogProb } from '../shared/logProb.js';
import { incomparable, modelNames, sideName } from '../../store/sides.js';
import { choosing, chosenSince, filledIn, present, strategyHint } from '../../store/strategies.js';

export function Compare() {
  const store = useStore();
  const [main, other] = [store.main.trace.value, store.other.trace.value];
  if (!main || !other) return <Start />;
  // Of the text that the user is looking at.
  const wanted = store.view.selection.value.sequence;
  const scope = store.scope.value?.sequence === wanted ? store.scope.value : undefined;
  const found = store.background.differences(main, other, scope)?.[wanted];
  if (!found) return <p class="hint">{t('compareWaiting')}</p>;
  const hasChoices = store.differBy.value === 'choices';
  const nothing = incomparable(store);
  if (nothing !== undefined)
    return (
      <>
        <Sides />
        <p class="notice with stale" role="status">
          <span>{nothing}</span>
          {chosenSince(store) && <RouteAgain focus="compare-again" />}
        </p>
        <Stop />
      </>
    );
  return (
    <>
      <Sides />
      {!hasChoices && <Fixed />}
      {store.areStrangers.value && <p class="hint">{t('compareStrangers', ...modelNames(store))}</p>}
      {hasChoices && <Some main={main} sequence={wanted} common={found.modules.length} />}
      {scope && <p class="caption about">{t('summaryOf', scopeCode.code.value!.scopeName(store, scope))}</p>}
      {main.sequences.length > 1 && <p class="caption">{t('ofSequence', t(main.sequences[wanted]!.role))}</p>}
      <Part name="agreement" title={t('inNumbers')} result={found} ofBoth>
        <dl class="numbers">
          {hasChoices && <Agreement found={found} />}
          <LogProb
            title={t('compareLogProbOther')}
            from={main.sequences[wanted]}
            to={other.sequences[wanted]}
            found={found}
          />
          <dt>{t('compareAligned')}</dt>
          <dd>
            {t(
              'of',
              found.alignment.same.reduce((n, x) => n + x, 0),
              // A token that only the other run has is in no part of this one.
              scope ? columnsIn(found, scope) : found.alignment.same.length,
            )}
          </dd>
        </dl>
      </Part>
      {isCutAlike(main, other, wanted) === false && <p class="hint">{t('compareCut')}</p>}
      {hasChoices && found.layers.length > 0 && <ByLayer found={found} />}
      {hasChoices && found.usage && <UsageFigure usage={found.usage} isOfPart={scope !== undefined} />}
      {hasChoices && !found.usage && found.modules.length > 0 && <p class="hint">{t('compareUsageNone')}</p>}
      <Most sequence={main.sequences[wanted]!} index={wanted} found={found} hasChoices={hasChoices} />
      <Stop />
    </>
  );
}

function Stop() {
  const store = useStore();
  return (
    <Button press={() => store.send({ type: 'closeCompare' })} data-focus="compare-stop">
      {t('compareStop')}
    </Button>
  );
}

/** Says so if only a part of the model can be compared. */
function Some({
  main,
  sequence,
  common,
}: {
  readonly main: Trace;
  readonly sequence: number;
  readonly common: number;
}) {
  const all = modulesOf(main, { sequence }).length;
  return common < all ? <p class="hint">{t('compareSome', common, all)}</p> : null;
}

/** How many columns have a token of the scope. */
function columnsIn({ alignment }: Difference, { ranges }: TextScope): number {
  const within = tokensWithin(ranges, alignment.a.length);
  return alignment.a.filter((t) => within[t]).length;
}

function Sides() {
  const store = useStore();
  return (
    <table class="sides">
      <caption class="unseen">{t('compareSides')}</caption>
      <tbody>
        {(['main', 'other'] as const).map((side) => (
          <tr key={side}>
            <th scope="row">{t(side === 'main' ? 'compareThis' : 'compareOther')}</th>
            <td>{sideName(store, side)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Why there are no figures of agreement. */
function Fixed() {
  const store = useStore();
  const fixedSides = (['main', 'other'] as const).filter((side) => store.side(side).isFixed.value);
  return fixedSides.map((side) => {
    const applies = store.side(side).choices.value?.blocks.some(({ chosen }) => chosen.some((e) => e >= 0));
    return (
      <p key={side} class="hint">
        {t(applies ? 'compareFixed' : 'compareFixedNone', sideName(store, side))}
      </p>
    );
  });
}

function Agreement({ found: { all, tokens } }: { readonly found: Difference }) {
  return (
    <>
      <dt>{t('compareTopKOverlap')}</dt>
      <dd>
        {percent(all.topKOverlap)}
        <span class="faint"> {t('loadChance', percent(all.chanceTopKOverlap))}</span>
      </dd>
      <dd class="plain">
        {t('compareTopKOverlapPlain', tokens, percent(all.topKOverlap), percent(1 - all.topKOverlap))}
      </dd>
      <dt>{t('compareFlipped')}</dt>
      <dd>{percent(all.flipped)}</dd>
      <dd class="plain">{t('compareFlippedPlain')}</dd>
      <dt>{t('compareJs')}</dt>
      <dd>{Number.isFinite(all.divergence) ? t('bits', fixed(all.divergence, 3)) : '–'}</dd>
      <dd class="plain">{t('compareJsPlain')}</dd>
    </>
  );
}

function ByLayer({ found: { all, byLayer, layers } }: { readonly found: Difference }) {
  const shares = byLayer.map(({ topKOverlap }) => topKOverlap);
  return (
    <Figure
      name="compareByLayer"
      title={t('compareByLayer')}
      caption={t('compareByLayerCaption')}
      ofBoth
      plot={() => ({
        kind: 'lines',
        x: { title: t('layerHead'), first: layers[0]?.layer ?? 0 },
        y: { ...inPercent(t('compareTopKOverlap')), high: 1 },
        series: [{ name: t('compareTopKOverlap'), values: shares }],
        reference: { name: t('chance'), value: all.chanceTopKOverlap },
      })}
      chart={() => (
        <Lines
          list={[{ values: shares, class: 'main' }]}
          reference={all.chanceTopKOverlap}
          first={layers[0]?.layer ?? 0}
        />
      )}
      table={() =>
        rowsOf(
          [t('layerHead'), t('compareTopKOverlap'), t('compareJs')],
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

/** @param isOfPart only a part of the text is compared, and of that only what both runs have */
function UsageFigure({
  usage: { experts, change },
  isOfPart,
}: {
  readonly usage: NonNullable<Difference['usage']>;
  readonly isOfPart: boolean;
}) {
  const store = useStore();
  const shownExperts = store.main.shownExperts.value;
  if (!shownExperts) return null;
  const looks = store.main.looks.value(shownExperts.set);
  const known = experts.map((_, e) => e).filter((e) => e < shownExperts.set.experts.length);
  const list = known.map((e) => ({ expert: e, value: change[e]!, text: signed(change[e]! * 100, 1) }));
  return (
    <Figure
      name="compareUsage"
      title={t('compareUsage')}
      ofBoth
      caption={t(isOfPart ? 'compareUsageShared' : 'compareUsageCaption')}
      plot={() => barsPlot(looks, list, { title: t('compareUsage'), unit: t('percentagePoints'), times: 100 })}
      chart={() => <Bars looks={looks} least={0.02} list={list} />}
      table={() =>
        rowsOf(
          [t('expert'), `${t('compareUsage')} (${t('percentagePoints')})`],
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
  found: { alignment, flips, modules, logProb },
  hasChoices,
}: {
  readonly sequence: Sequence;
  readonly index: number;
  readonly found: Difference;
  readonly hasChoices: boolean;
}) {
  const store = useStore();
  const columns = alignment.a.length;
  const title = t(hasChoices ? 'compareMost' : 'compareMostChanged');
  const list = Array.from({ length: columns }, (_, c) => {
    let changed = 0;
    if (alignment.same[c]) for (let s = 0; s < modules.length; s++) if (flips[s * columns + c]! > 0) changed++;
    return { token: alignment.a[c]!, share: changed / modules.length, change: logProb[c]! };
  })
    .map((one) => ({ ...one, size: hasChoices ? one.share : Math.abs(one.change) }))
    .filter(({ token, size }) => token >= 0 && size > 0)
    // Where the runs choose differently many, all places differ.
    .sort((a, b) => b.size - a.size || (Math.abs(b.change) || 0) - (Math.abs(a.change) || 0))
    .slice(0, 12);
  return (
    <Part name="compareMost" title={title} ofBoth>
      {hasChoices && <p class="caption">{t('compareDifferingPlain')}</p>}
      <table>
        <caption class="unseen">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{t('tokenHead')}</th>
            {hasChoices && (
              <th scope="col" class="number">
                {t('compareDiffering')}
              </th>
            )}
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
                  press={() => store.select({ sequence: index, token })}
                  class="link"
                  data-focus={`most-${token}`}
                >
                  <code>{tokenLabel(sequence, token)}</code>
                </Button>
              </th>
              {hasChoices && <td class="number">{percent(share)}</td>}
              <td class="number">{signed(change)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Part>
  );
}

/** The strategy with its parameters: an expert that was chosen here, or the first that this run does not use. */
function wantedOf(store: Store, offer: StrategyOffer): Strategy {
  const now = present(store);
  if (!offer.takes.includes('expert')) return filledIn(store, offer.name, now);
  const experts = store.description.value?.experts ?? [];
  const expert =
    experts.find(({ id }) => id === store.view.compareExpert.value) ?? experts.find(({ id }) => id !== now?.expert);
  return { name: offer.name, ...(expert && { expert: expert.id }) };
}

const isSame = (a: Strategy, b: Strategy | undefined) => a.name === b?.name && a.k === b.k && a.expert === b.expert;

/** The choice of what to compare with; the host runs it and sends the other side. */
function Start() {
  const store = useStore();
  const since = chosenSince(store);
  const reason =
    reasonAgainst(store, 'route') ??
    (since && `${t('compareSince', since.ran, since.chosen)} ${t('compareAgain', since.chosen)}`);
  const strategy = present(store);
  const interventions = store.main.interventions.value;
  // With a strategy of one expert, there is another expert to compare with.
  const offered = (store.description.value?.can.strategies ?? []).filter(
    ({ name, takes }) => name !== strategy?.name || takes.includes('expert'),
  );
  const chosen =
    offered.find(({ name }) => name === store.view.compareWith.value) ??
    offered.find((offer) => choosing(store).includes(offer)) ??
    offered[0];
  const wanted = chosen && wantedOf(store, chosen);
  const itself = wanted && isSame(wanted, strategy) && interventions.length === 0 ? t('compareItself') : undefined;
  const compare = (selection: 'same' | 'editor', wanted: Strategy | undefined): void => {
    expectResult(store, 'agreement');
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
      <h3>{t('compareStart')}</h3>
      {chosen && (
        <div class="formRow">
          <span>{t('compareSame')}</span>
          <StrategyMenu
            label={t('compareWith')}
            value={chosen.name}
            names={offered.map(({ name }) => name)}
            change={(name) => store.set({ compareWith: name })}
            name="compare-with"
          />
          {wanted?.expert !== undefined && (
            <ExpertSelect
              label={t('expertOf')}
              value={wanted.expert}
              options={(store.description.value?.experts ?? []).map(({ id, name }) => [id, name] as const)}
              change={(compareExpert) => store.set({ compareExpert })}
              data-focus="compare-expert"
            />
          )}
          <Button press={() => compare('same', wanted)} primary reason={reason ?? itself} data-focus="compare-now">
            {t('compareNow')}
          </Button>
        </div>
      )}
      {chosen && <p class="caption">{strategyHint(store, chosen.name)}</p>}
      <div class="formRow">
        <Button press={() => compare('editor', strategy)} reason={reason} data-focus="compare-editor">
          {t('compareEditor')}
        </Button>
      </div>
      {interventions.length > 0 && (
        <div class="formRow">
          <Button press={() => compare('same', strategy)} reason={reason} data-focus="compare-without">
            {t('compareWithout')}
          </Button>
        </div>
      )}
      {reason !== undefined && <p class="faint">{reason}</p>}
      {since && <RouteAgain focus="compare-again" />}
    </div>
  );
}
