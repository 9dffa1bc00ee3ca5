/** One token at one routed module: who was chosen, with what weight, and by how much. */
import { sort } from 'd3-array';
import { chosenAt, isKnown, layerAt, rowsAt, sharedModules, type Rows } from '../../../src/trace/model/access.js';
import { certaintyAt, distribution } from '../../../src/trace/figures/distribution.js';
import { scoreName } from '../../../src/trace/text/label.js';
import { forcedAt, selectionScores } from '../../../src/trace/model/selection.js';
import type { ExpertSet, Router, Trace } from '../../../src/trace/model/trace.js';
import { Bars, barsPlot } from '../../components/bars.js';
import { Button } from '../../components/controls.js';
import { inability } from '../../store/reasons.js';
import { useStore } from '../../components/context.js';
import { Figure, Part } from '../../components/figure.js';
import { InAtlas } from '../../components/inAtlas.js';
import { choicesAt, type Choice } from '../../map/model.js';
import type { Looks } from '../../look/looks.js';
import { moduleName } from '../../look/names.js';
import { fullName, fullNameAt } from '../../store/atlas.js';
import { fixed, kindName, percent, small, t } from '../../look/strings.js';

interface Props {
  readonly trace: Trace;
  readonly module: number;
  readonly sequence: number;
  readonly token: number;
  readonly looks: (set: ExpertSet) => Looks;
}

export function CellDetail(props: Props) {
  const { trace, module: s, sequence, token } = props;
  const module = trace.modules[s]!;
  if (module.sequence !== sequence) return <p class="sentence">{t('detailElsewhere', moduleName(module))}</p>;
  if (!isKnown(rowsAt(trace, s), token)) return <p class="sentence">{t('detailUnknown', moduleName(module))}</p>;
  return (
    <>
      <Sentences {...props} />
      <Numbers {...props} />
      <Scores {...props} />
      <TryWhatIf {...props} />
    </>
  );
}

function Sentences({ trace, module: s, sequence, token }: Props) {
  const store = useStore();
  const rows = rowsAt(trace, s);
  const { module, set } = rows;
  const here = { set, layer: layerAt(trace, module) };
  const named = (list: readonly Choice[]) =>
    list
      .map(({ expert, weight }) => {
        const name = fullName(store, trace, here, expert);
        return weight === undefined ? name : `${name} (${fixed(weight)})`;
      })
      .join(', ');
  /** Undefined if nothing is known of the cell in that run. */
  const chosenIn = (run: Trace): string | undefined => {
    const part = sharedModules(run, { module: module.path, sequence });
    return part && isKnown(rowsAt(run, part.modules[0]!), token) ? named(choicesAt(run, part, token)) : undefined;
  };
  const applied = placed(rows, token);
  const certainty = certaintyAt(trace, rows, token);
  const said: string[] = [];
  if (applied.length === 0) said.push(t('detailCellNone'));
  else if (set.scope === 'pool' && !module.stack)
    said.push(t('detailCell', String(module.layer), kindName(module.kind), named(applied)));
  else if (module.kind === 'router' && !module.stack) said.push(t('detailRouter', module.layer, named(applied)));
  else said.push(t('detailCellAt', moduleName(module), named(applied)));
  if (applied.length > 0 && !rows.weight) said.push(t('weightNone'));
  if (forcedAt(rows, token) >= 0) said.push(t('detailForced'));
  else if (trace.router.k === undefined && rows.score) said.push(t(fixedWords(trace.router)));
  const { margin, entropy } = certainty;
  if (Number.isFinite(margin)) {
    const close = margin < 0.1 ? 'detailClose' : margin < 0.5 ? 'detailMedium' : 'detailClear';
    const name = comparedName(trace, rows);
    const behind = margin > 0 && margin < 0.01 ? small(margin) : fixed(margin);
    // How close 0.1 is differs from one kind of selection score to another.
    said.push(
      name === 'selectionScore'
        ? t('detailMargin_selectionScore', behind)
        : t(`detailMargin_${name}`, behind, t(close)),
    );
  }
  if (Number.isFinite(entropy))
    said.push(
      t(
        'detailEntropy',
        t(entropy < 0.6 ? 'detailPeaked' : entropy < 0.9 ? 'detailSpread' : 'detailEven'),
        fixed(entropy),
      ),
    );
  const before = store.main.before.value;
  const was = before && chosenIn(before);
  // Weights too close to be written apart count as the same.
  if (was !== undefined) said.push(was === chosenIn(trace) ? t('detailWasSame') : t('detailWas', was || t('none')));
  return (
    <>
      <p class="sentence">{said.join(' ')}</p>
      <InAtlas trace={trace} {...here} experts={applied.map(({ expert }) => expert)} />
    </>
  );
}

/** The chosen experts in the source's own order. */
function placed(rows: ReturnType<typeof rowsAt>, token: number): Choice[] {
  return Array.from(chosenAt(rows, token), (expert, i) => ({
    expert,
    weight: rows.weight?.[token * rows.k + i],
  })).filter(({ expert }) => expert >= 0);
}

function Numbers({ trace, module, token }: Props) {
  const store = useStore();
  const rows = rowsAt(trace, module);
  const { margin, entropy, topKProbability } = certaintyAt(trace, rows, token);
  const { contribution, k } = rows;
  const here = { set: rows.set, layer: layerAt(trace, rows.module) };
  const contributions = [...chosenAt(rows, token)].flatMap((e, i) =>
    e >= 0 && contribution ? [`${fullName(store, trace, here, e)} ${percent(contribution[token * k + i]!)}`] : [],
  );
  const hasScores = rows.score !== undefined || rows.selection !== undefined;
  if (!hasScores && contributions.length === 0) return null;
  return (
    <Part name="cell" title={t('inNumbers')}>
      <dl class="numbers">
        {hasScores && (
          <>
            <dt>{t('margin')}</dt>
            <dd>{fixed(margin)}</dd>
            <dt>{t('entropy')}</dt>
            <dd>{fixed(entropy)}</dd>
            <dt>{t('topKProbability')}</dt>
            <dd>{percent(topKProbability)}</dd>
          </>
        )}
        {contributions.length > 0 && (
          <>
            <dt>{t('contribution')}</dt>
            <dd>{contributions.join(', ')}</dd>
            <dd class="plain">{t('contributionHint')}</dd>
          </>
        )}
      </dl>
    </Part>
  );
}

function Scores({ trace, module, token, looks }: Props) {
  const store = useStore();
  const rows = rowsAt(trace, module);
  const scores = selectionScores(rows, token);
  const name = scoreName(trace);
  const compared = comparedName(trace, rows);
  const here = { set: rows.set, layer: layerAt(trace, rows.module) };
  if (!scores) return <p class="hint">{t(store.main.scoresFollow.value ? `${name}Later` : `${name}None`)}</p>;
  const chosen = [...chosenAt(rows, token)];
  const weightOf = (e: number) => rows.weight?.[token * rows.k + chosen.indexOf(e)] ?? NaN;
  const p = distribution(trace, rows, token);
  const raw = rows.score?.subarray(token * rows.experts, (token + 1) * rows.experts);
  const known = [...scores.keys()].filter((e) => !Number.isNaN(scores[e]!));
  const order = sort(known, (e) => -scores[e]!);
  const best = order.find((e) => scores[e]! > -Infinity);
  const shown = order.length > most ? order.slice(0, most) : order;
  const list = shown.map((e) => {
    return {
      expert: e,
      name: fullName(store, trace, here, e),
      value: Number.isFinite(scores[e]!) ? scores[e]! : 0,
      text: scoreText(scores[e]!),
      weak: !chosen.includes(e),
      ...(chosen.includes(e) && { mark: `✓ ${rows.weight ? fixed(weightOf(e)) : ''}` }),
    };
  });
  const figure = {
    title: t(`${compared}OfAll`),
    caption: order.length > shown.length ? t('bestExperts', shown.length, order.length) : undefined,
    plot: () => barsPlot(looks(rows.set), list, { title: t(compared) }, { weak: t('notChosen') }),
    chart: () => (
      <Bars looks={looks(rows.set)} least={best === undefined ? 1 : Math.max(0, scores[best]!)} list={list} />
    ),
    table: () => ({
      head: [t('expert'), ...(compared === name ? [] : [t(compared)]), t(name), t('share'), t('weight')],
      count: order.length,
      row: (i: number) => {
        const e = order[i]!;
        return [
          fullName(store, trace, here, e),
          ...(compared === name ? [] : [scoreText(scores[e]!)]),
          fixed(raw?.[e] ?? NaN),
          percent(p?.[e] ?? NaN),
          chosen.includes(e) ? fixed(weightOf(e)) : t('none'),
        ];
      },
    }),
  };
  return name === 'affinity' ? <Figure name="affinities" {...figure} /> : <Figure name="routerLogits" {...figure} />;
}

const scoreText = (score: number): string => (Number.isFinite(score) ? fixed(score) : '−∞');

/** What the router compared: mostly its raw output. */
const comparedName = (trace: Trace, { selection }: Rows) => (selection ? 'selectionScore' : scoreName(trace));

/** Nobody reads more bars than this; the table has everything. */
const most = 40;

function TryWhatIf({ trace, module: s, token }: Props) {
  const store = useStore();
  const { module, set } = rowsAt(trace, s);
  const lead = placed(rowsAt(trace, s), token)[0]?.expert;
  if (lead === undefined) return null;
  return (
    <Button
      press={() => {
        store.set({
          tab: 'whatIf',
          whatIf: {
            ...store.view.whatIf.peek(),
            expert: set.experts[lead]!.id,
            where: `module:${module.path}`,
            tokenOnly: true,
          },
        });
      }}
      title={t('tryWhatIfHint', fullNameAt(store, trace, { set, layer: layerAt(trace, module) }, lead))}
      reason={inability(store, 'whatIf')}
      data-focus="detail-whatif"
    >
      {t('tryWhatIf')}
    </Button>
  );
}

/** What the affinities are beside weights that no choice among them gave. */
function fixedWords({ params }: Router): 'detailScaled' | 'detailFixedArrow' | 'detailFixed' {
  switch (params?.['affinities']) {
    case 'x-lora':
      return 'detailScaled';
    case 'arrow':
      return 'detailFixedArrow';
    default:
      return 'detailFixed';
  }
}
