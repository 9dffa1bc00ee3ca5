/** How likely the model found each token, what else it expected, and how a what-if changed that. */
import { range } from 'd3-array';
import { predictionDivergence } from '../../../src/trace/figures/difference.js';
import { tokenLabel, visible } from '../../../src/trace/text/label.js';
import type { Sequence } from '../../../src/trace/model/trace.js';
import { useStore } from '../../components/context.js';
import { Figure, Part } from '../../components/figure.js';
import { Lines } from '../../components/lines.js';
import { tokenPlace } from '../../look/names.js';
import { percent, small, t } from '../../look/strings.js';

interface Alternative {
  readonly id: number;
  readonly text: string;
  readonly p: number;
}

/** What the model expects after token `at`, best first. */
function after(sequence: Sequence, at: number): Alternative[] {
  const { topIds, topLogProb, topTokens, predictions: P } = sequence;
  if (!topIds || !topLogProb || at < 0 || at >= sequence.done) return [];
  return range(at * P, (at + 1) * P)
    .filter((i) => topIds[i]! >= 0 && Number.isFinite(topLogProb[i]))
    .map((i) => ({ id: topIds[i]!, text: topTokens?.[i] ?? `#${topIds[i]!}`, p: Math.exp(topLogProb[i]!) }));
}

interface Runs {
  readonly now: Sequence;
  readonly before: Sequence | undefined;
}

export function Predictions() {
  const store = useStore();
  const trace = store.main.trace.value;
  if (!trace) return <p class="hint">{t('needsTrace')}</p>;
  const selection = store.view.selection.value;
  // Of the text that the user is looking at, or of the one that has predictions: an encoder's input has none.
  const isPredicted = (i: number) => trace.sequences[i]?.logProb !== undefined;
  const index = isPredicted(selection.sequence)
    ? selection.sequence
    : trace.sequences.findIndex((_, i) => isPredicted(i));
  const now = trace.sequences[index];
  if (!now) return <p class="hint">{t('predictionsNone')}</p>;
  if (now.done === 0) return <p class="hint">{t('needsTrace')}</p>;
  const runs: Runs = { now, before: store.main.before.value?.sequences[index] };
  const isHere = selection.sequence === index && selection.token >= 0;
  const token = isHere ? selection.token : now.done - 1;
  return (
    <>
      {trace.sequences.length > 1 && <p class="caption">{t('predictionsOf', t(now.role))}</p>}
      {!isHere && <p class="hint">{t(selection.token < 0 ? 'predictionLast' : 'predictionLastOutput')}</p>}
      {token >= now.done ? (
        <p class="sentence">{t('tokenToCome')}</p>
      ) : token > 0 ? (
        <One {...runs} token={token} place={tokenPlace(trace.sequences, index, token)} />
      ) : (
        <p class="sentence">{t('predictionFirst')}</p>
      )}
      <Ahead {...runs} />
      <Overall {...runs} sequence={index} token={token} />
    </>
  );
}

/** The selected token among those that the model expected. */
function One({ now, before, token, place }: Runs & { readonly token: number; readonly place: string }) {
  const p = Math.exp(now.logProb![token]!);
  const id = now.tokens.ids?.[token];
  const list = after(now, token - 1);
  const rank = list.findIndex((one) => one.id === id);
  const said = [
    rank >= 0
      ? t('predictionWas', percent(p), rank + 1)
      : list.length > 0
        ? t('predictionWasUnlisted', percent(p), list.length)
        : t('predictionAlone', percent(p)),
  ];
  if (before?.logProb) {
    said.push(t('predictionChange', percent(Math.exp(before.logProb[token]!))));
    const moved = predictionDivergence(before, token - 1, now, token - 1);
    if (moved > 0) said.push(t('predictionKl', small(moved)));
  }
  return (
    <>
      <header class="detailTitle">
        <h2>
          <code>{tokenLabel(now, token)}</code>
        </h2>
        <span class="faint">{place}</span>
      </header>
      <p class="sentence">{said.join(' ')}</p>
      {list.length > 0 ? (
        <Part name="alternatives" title={t('alternatives')}>
          <Alternatives list={list} before={before && after(before, token - 1)} actual={id} />
        </Part>
      ) : (
        <p class="hint">{t('alternativesNone')}</p>
      )}
    </>
  );
}

function Ahead({ now, before }: Runs) {
  const end = now.done - 1;
  const list = after(now, end);
  if (list.length === 0) return null;
  return (
    <Part name="next" title={t(now.done < now.tokens.count ? 'nextTokenRouted' : 'nextToken')}>
      <Alternatives list={list} before={before && after(before, end)} actual={undefined} />
    </Part>
  );
}

/** Bars of probability, with the earlier ones beside them if there is a what-if. It is a table itself, so it needs no other. */
function Alternatives({
  list,
  before,
  actual,
}: {
  readonly list: readonly Alternative[];
  readonly before: readonly Alternative[] | undefined;
  readonly actual: number | undefined;
}) {
  const was = new Map(before?.map(({ id, p }) => [id, p]));
  const gone = (before ?? [])
    .filter(({ id }) => !list.some((now) => now.id === id))
    .map(({ id, text }) => ({ id, text, p: NaN }));
  return (
    <table class="alternatives">
      <thead class={before ? '' : 'unseen'}>
        <tr>
          <th scope="col">{t('tokenHead')}</th>
          {before && (
            <th scope="col" class="number">
              {t('probabilityBefore')}
            </th>
          )}
          <th scope="col" class="number">
            {t('probability')}
          </th>
          <td />
        </tr>
      </thead>
      <tbody>
        {[...list, ...gone].map(({ id, text, p }) => {
          const old = was.get(id);
          return (
            <tr key={id} class={id === actual ? 'actual' : ''}>
              <th scope="row">
                <code>{visible(text)}</code>
                {id === actual && <span class="tag">{t('actual')}</span>}
              </th>
              {before && <td class="number faint">{old === undefined ? '–' : percent(old)}</td>}
              <td class="number">{percent(p)}</td>
              <td class="barCell" aria-hidden="true">
                <span class="plainBar" style={{ width: `${Number.isFinite(p) ? p * 100 : 0}%` }} />
                {old !== undefined && <span class="oldBar" style={{ left: `${old * 100}%` }} />}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Overall({ now, before, sequence, token }: Runs & { readonly sequence: number; readonly token: number }) {
  const store = useStore();
  const probability = (logProb: Float32Array | undefined) => Array.from(logProb ?? [], (x) => Math.exp(x));
  const earlier = before?.logProb;
  const [is, was] = [probability(now.logProb), probability(earlier)];
  return (
    <Figure
      name="surprise"
      title={t('surprise')}
      caption={`${t('surpriseCaption')}${before ? ` ${t('surpriseBefore')}` : ''}`}
      hint={t('clickToken')}
      plot={() => ({
        kind: 'lines',
        x: { title: t('tokenHead'), first: 1 },
        y: { title: t('probability'), high: 1 },
        series: [
          { name: t('probability'), values: is },
          ...(before ? [{ name: t('probabilityBefore'), values: was, isOld: true }] : []),
        ],
      })}
      chart={() => (
        <Lines
          list={[...(before ? [{ values: was, class: 'old' }] : []), { values: is, class: 'main' }]}
          first={1}
          selected={token}
          press={(i) => store.select({ sequence, token: i })}
        />
      )}
      table={() => ({
        head: [
          t('tokenHead'),
          t('probability'),
          ...(before ? [t('probabilityBefore'), t('klMoved')] : []),
          t('topAlternatives'),
        ],
        count: now.tokens.count,
        row: (at) => {
          const best = after(now, at - 1)[0];
          return [
            `${at + 1} ${tokenLabel(now, at)}`,
            percent(Math.exp(now.logProb![at]!)),
            ...(before
              ? [
                  percent(Math.exp(earlier?.[at] ?? NaN)),
                  small(at > 0 ? predictionDivergence(before, at - 1, now, at - 1) : NaN),
                ]
              : []),
            best ? `${visible(best.text)} ${percent(best.p)}` : '–',
          ];
        },
      })}
    />
  );
}
