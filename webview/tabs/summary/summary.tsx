/** The whole run in a few charts, each with what chance would give. */
import { layersOf, textTokens, type SharedModules } from '../../../src/trace/model/access.js';
import { visible } from '../../../src/trace/text/label.js';
import { leastOccurrences, mostAttracted } from '../../../src/trace/figures/specialisation.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { isSmallSample, knockedOut } from '../../../src/trace/figures/usage.js';
import { chanceLoadOf, load } from '../../../src/statistics/load.js';
import { pairsOf, type Pair } from '../../../src/statistics/pairs.js';
import { AFrameLater } from '../../components/aFrameLater.js';
import { Button } from '../../components/controls.js';
import { useStore } from '../../components/context.js';
import { Badge, ExpertSelect } from '../../components/expert.js';
import { Figure, Part } from '../../components/figure.js';
import { Heat, heatPlot } from '../../components/heat.js';
import { Lines } from '../../components/lines.js';
import { rowsOf } from '../../components/table.js';
import { scopeCode } from '../../scope/load.js';
import type { Looks } from '../../look/looks.js';
import { layerName, plainName } from '../../look/names.js';
import { fixed, inPercent, percent, t, whole } from '../../look/strings.js';
import { most, UsageFigure } from './usage.js';
import { CorpusFigure } from './corpus.js';
import { LayersLoad } from './layerLoad.js';
import { decidedOf, entropyOf, togetherOf, usageByLayerOf, usageOf, vocabularyOf } from '../../store/sums.js';

interface Props {
  readonly trace: Trace;
  readonly modules: SharedModules;
}

export function Summary() {
  const store = useStore();
  const [trace, shownExperts] = [store.main.trace.value, store.main.shownExperts.value];
  if (!trace?.sequences.some(({ done }) => done > 0)) return <p class="hint">{t('summaryNone')}</p>;
  const wanted = store.view.selection.value.sequence;
  const own = shownExperts?.parts[wanted] ?? shownExperts?.parts.find((part) => part !== undefined);
  if (!shownExperts || !own) return <p class="hint">{t('summaryNone')}</p>;
  const sequence = trace.sequences.findIndex((one) => one.tokens === own.sequence.tokens);
  const tokens = textTokens(own.sequence).length;
  if (tokens === 0) return <p class="hint">{t('smallNone')}</p>;
  const scope = store.scope.value;
  const Scoped = scopeCode.code.value?.ScopeSummary;
  const scoped = scope && shownExperts.parts[scope.sequence];
  if (scoped && Scoped) return <Scoped trace={trace} modules={scoped} scope={scope} />;
  const about = [
    shownExperts.layer && layerName(shownExperts.layer),
    trace.sequences.length > 1 && t(own.sequence.role),
  ].filter(Boolean);
  return (
    <>
      {isSmallSample(tokens) && (
        <p class="warning" role="note">
          {t('small', tokens)}
        </p>
      )}
      {about.length > 0 && <p class="caption about">{t('summaryOf', about.join(' · '))}</p>}
      {shownExperts.layer ? (
        <>
          <LoadNumbers trace={trace} modules={own} />
          <LayersLoad trace={trace} sequence={sequence} layer={shownExperts.layer} />
        </>
      ) : (
        <UsageFigure trace={trace} modules={own} />
      )}
      <AFrameLater>
        {shownExperts.layer && <UsageFigure trace={trace} modules={own} />}
        <CorpusFigure trace={trace} sequence={sequence} layer={shownExperts.layer} />
        {!shownExperts.layer && <LoadNumbers trace={trace} modules={own} />}
        {!shownExperts.layer && <LayersFigure trace={trace} modules={own} sequence={sequence} />}
        <EntropyFigure trace={trace} sequence={sequence} isOfLayer={shownExperts.layer !== undefined} />
        {trace.blocks.some(({ k }) => k > 1) ? (
          <TogetherFigure trace={trace} modules={own} />
        ) : (
          <p class="hint">{t('coactivationOne')}</p>
        )}
        <AttractedFigure trace={trace} modules={own} sequence={sequence} />
      </AFrameLater>
    </>
  );
}

function LoadNumbers({ trace, modules }: Props) {
  const usage = usageOf(trace, modules);
  const now = load(usage.share, usage.chance);
  const chance = chanceLoadOf(usage);
  const dead = now.dead.map((e) => plainName(modules.set, e));
  const said = dead.length > most ? t('expertCount', dead.length) : dead.join(', ');
  return (
    <Part name="load" title={t('loadTitle')}>
      <dl class="numbers">
        <dt title={t('loadEffectiveHint')}>{t('loadEffective')}</dt>
        <dd>
          {t('of', fixed(now.effective, 1), now.experts)}
          <span class="faint"> {t('loadChance', fixed(chance.effective, 1))}</span>
        </dd>
        <dt>{t('loadCv')}</dt>
        <dd>
          {fixed(now.cv)}
          <span class="faint"> {t('loadChance', fixed(chance.cv))}</span>
        </dd>
        <dt>{t('loadMaxVio')}</dt>
        <dd>{fixed(now.maxVio)}</dd>
        <dt>{t('loadEntropy')}</dt>
        <dd>
          {fixed(now.entropyRatio)}
          <span class="faint"> {t('loadChance', fixed(chance.entropyRatio))}</span>
        </dd>
        <dt>{t('loadDead')}</dt>
        <dd>{dead.length > 0 ? said : t('none')}</dd>
      </dl>
    </Part>
  );
}

function LayersFigure({ trace, modules, sequence }: Props & { readonly sequence: number }) {
  const looks = useStore().main.looks.value(modules.set);
  const layers = layersOf(trace, { sequence });
  const shares = usageByLayerOf(trace, sequence).map((usage) => usage?.share ?? []);
  const names = layers.map(({ stack, layer }) => `${stack?.[0] ?? ''}${layer}`);
  const heat = { values: shares, rowLabels: names, looks };
  return (
    <Figure
      name="usageByLayer"
      title={t('usageByLayer')}
      caption={t('usageByLayerCaption')}
      plot={() => heatPlot(heat, inPercent(t('usage')))}
      chart={() => <Heat {...heat} text={percent} cellHeight={layers.length > 12 ? 9 : 14} />}
      table={() => ({
        head: [t('layerHead'), ...modules.experts.map((_, e) => plainName(modules.set, e))],
        count: layers.length,
        row: (i) => [names[i]!, ...Array.from(shares[i]!, percent)],
      })}
    />
  );
}

/** That the probabilities were not what decided. */
const undecided = {
  everywhere: [],
  'in part': ['entropyForced'],
  nowhere: ['entropyUndecided'],
} as const;

/** What it shows takes long to sum up, so it is asked for only here, after the first frame. */
function EntropyFigure({
  trace,
  sequence,
  isOfLayer,
}: {
  readonly trace: Trace;
  readonly sequence: number;
  readonly isOfLayer: boolean;
}) {
  const { main } = useStore();
  const entropy = entropyOf(trace, sequence);
  if (!entropy) return !main.scoresFollow.value && isOfLayer ? <p class="hint">{t('entropyNone')}</p> : null;
  const layers = layersOf(trace, { sequence });
  const first = layers[0]?.layer ?? 0;
  return (
    <Figure
      name="entropy"
      title={t('entropyTitle')}
      caption={[t('entropyCaption'), ...undecided[decidedOf(trace, sequence)].map((word) => t(word))].join(' ')}
      plot={() => ({
        kind: 'lines',
        x: { title: t('layerHead'), first },
        y: { title: t('entropy'), high: 1 },
        series: [{ name: t('entropy'), values: entropy }],
        reference: { name: t('chance'), value: 1 },
      })}
      chart={() => <Lines list={[{ values: entropy, class: 'main' }]} reference={1} first={first} />}
      table={() =>
        rowsOf(
          [t('layerHead'), t('entropy')],
          layers.map(({ stack, layer }, i) => [`${stack?.[0] ?? ''}${layer}`, fixed(entropy[i]!)]),
        )
      }
    />
  );
}

function TogetherFigure({ trace, modules }: Props) {
  const looks = useStore().main.looks.value(modules.set);
  const together = togetherOf(trace, modules);
  const { share, chance } = together;
  const n = modules.experts.length;
  const out = knockedOut(trace, modules, usageOf(trace, modules));
  // An expert is always chosen together with itself, which says nothing and would outshine the rest; one that is out, with nobody.
  const rows = Array.from({ length: n }, (_, a) =>
    Float64Array.from({ length: n }, (_, b) => (a === b || out[b] === 'all' ? NaN : share[a * n + b]!)),
  );
  const names = modules.experts.map((_, e) => plainName(modules.set, e));
  const heat = { values: rows, rowLabels: names, looks, rowExperts: true };
  const isMany = n > most;
  const pairs = isMany ? pairsOf(together) : [];
  return (
    <Figure
      name="coactivation"
      title={t('coactivation')}
      caption={t('coactivationCaption', percent(chance))}
      plot={() => heatPlot(heat, inPercent(t('coactivation')))}
      chart={() => (
        <>
          {isMany && <Pairs looks={looks} pairs={pairs.slice(0, mostPairs)} />}
          <Heat {...heat} text={percent} cellHeight={14} />
        </>
      )}
      table={() =>
        // As many columns as experts would be too many: with many experts, one pair per row.
        isMany
          ? {
              head: [t('expert'), t('coactivationWith'), t('coactivationCount'), t('coactivationExpected')],
              count: pairs.length,
              row: (i) => {
                const { a, b, count, expected } = pairs[i]!;
                return [names[a]!, names[b]!, whole(count), fixed(expected, 1)];
              },
            }
          : { head: [t('expert'), ...names], count: n, row: (a) => [names[a]!, ...Array.from(rows[a]!, percent)] }
      }
    />
  );
}

const mostPairs = 6;

/** Pairs that are chosen together more often than each expert's own load explains. */
function Pairs({ looks, pairs }: { readonly looks: Looks; readonly pairs: readonly Pair[] }) {
  return (
    <div class="pairs">
      {pairs.map(({ a, b, count, expected }) => (
        <span key={`${a} ${b}`}>
          <Badge looks={looks} expert={a} />
          <Badge looks={looks} expert={b} />
          {t('coactivationPair', whole(count), fixed(expected, 1))}
        </span>
      ))}
    </div>
  );
}

function AttractedFigure({ trace, modules, sequence }: Props & { readonly sequence: number }) {
  const store = useStore();
  const usage = usageOf(trace, modules);
  const vocabulary = vocabularyOf(trace, modules);
  const busiest = usage.share.reduce((best, x, e) => (x > usage.share[best]! ? e : best), 0);
  const wanted = store.view.attracted.value;
  const expert = modules.experts[wanted] ? wanted : busiest;
  const list = mostAttracted(vocabulary, expert);
  const caption = t('attractedCaption', leastOccurrences, percent(vocabulary.meanChance[expert]!));
  const isOut = knockedOut(trace, modules, usage)[expert] === 'all';
  const { ids, text: texts } = trace.sequences[sequence]!.tokens;
  const firstOf = (id: number | undefined, text: string): number =>
    id === undefined || !ids ? (texts?.indexOf(text) ?? -1) : ids.indexOf(id);
  return (
    <Part
      name="attracted"
      title={t('attracted')}
      says={caption}
      {...(list.length === 0 ? { plot: null } : {})}
      control={
        <ExpertSelect
          label={t('attractedOf')}
          value={String(expert)}
          options={modules.experts.map((_, e) => [String(e), plainName(modules.set, e)] as const)}
          change={(value) => store.set({ attracted: Number(value) })}
          data-focus="attracted"
        />
      }
    >
      <p class="caption">{caption}</p>
      {list.length === 0 ? (
        <p class="hint">{isOut ? t('attractedOut', plainName(modules.set, expert)) : t('attractedNone')}</p>
      ) : (
        <table class="attracted">
          <caption class="unseen">{`${t('attractedOf')} ${plainName(modules.set, expert)}`}</caption>
          <thead>
            <tr>
              <th scope="col">{t('tokenHead')}</th>
              <th scope="col">{t('share')}</th>
              <th scope="col">{t('occurrences')}</th>
            </tr>
          </thead>
          <tbody>
            {list.map(({ id, text, share, count: times }) => (
              <tr key={text}>
                <th scope="row">
                  <Button
                    press={() => store.select({ sequence, token: firstOf(id, text) })}
                    class="link"
                    data-focus={`attracted-${id ?? text}`}
                  >
                    <code>{visible(text)}</code>
                  </Button>
                </th>
                <td>{percent(share)}</td>
                <td>{t('times', times)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Part>
  );
}
