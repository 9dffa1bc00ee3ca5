/** What a what-if changed. */
import { meanOf } from '../../../src/statistics/mean.js';
import { consequences } from '../../../src/trace/figures/consequences.js';
import type { Difference } from '../../../src/trace/figures/difference.js';
import { isSpecial } from '../../../src/trace/model/access.js';
import type { Sequence, Trace } from '../../../src/trace/model/trace.js';
import { expectResult } from '../../components/arrival.js';
import { Button } from '../../components/controls.js';
import { useStore } from '../../components/context.js';
import { Figure, Part } from '../../components/figure.js';
import { Lines } from '../../components/lines.js';
import { rowsOf } from '../../components/table.js';
import { inPercent, percent, small, t } from '../../look/strings.js';
import { reasonAgainst } from '../../store/reasons.js';
import { LogProb } from '../shared/logProb.js';

/** @param title says what it is the effect of, unless the form above does */
export function Effect({ trace, title }: { readonly trace: Trace; readonly title: string }) {
  const store = useStore();
  const { before, interventions, running } = store.main;
  if (interventions.value.length === 0) return null;
  // What is asked about a run leaves it as it is: an effect that went and came back would move what is below it.
  const isChanging = ['route', 'generate'].includes(running.value?.what ?? '');
  const found =
    before.value && !isChanging
      ? store.background.differences(before.value, trace)?.[store.view.selection.value.sequence]
      : undefined;
  return (
    <Part name="effect" title={title} result={found} {...(!found && { plot: null })}>
      {!found && (before.value || isChanging ? <p class="hint">{t('effectWaiting')}</p> : <Lacking />)}
      {found && before.value && <EffectNumbers before={before.value} after={trace} found={found} />}
    </Part>
  );
}

/** The run was stopped, or came without it. */
function Lacking() {
  const store = useStore();
  return (
    <>
      <p class="hint">{t('effectLacks')}</p>
      <div class="formRow">
        <Button
          press={() => {
            expectResult(store, 'effect');
            store.route(store.main.interventions.peek());
          }}
          reason={reasonAgainst(store, 'whatIf')}
          data-focus="effect-find"
        >
          {t('effectFind')}
        </Button>
      </div>
    </>
  );
}

/** Why there are so many choices: they are fewer than tokens times modules, because special tokens are not counted. */
function cellsWords({ all, alignment, modules }: Difference, sequence: Sequence): string {
  const compared = [...alignment.b].filter((token, c) => alignment.same[c] && token < sequence.done);
  const special = compared.filter((token) => isSpecial(sequence, token));
  const tokens = compared.length - special.length;
  if (tokens * modules.length !== all.cells) return t('effectCellsAny');
  if (special.length === 0) return t('effectCells', tokens, modules.length);
  return special.length === 1 && special[0] === 0
    ? t('effectCellsFirst', tokens, modules.length)
    : t('effectCellsSpecial', tokens, modules.length, special.length);
}

interface Found {
  readonly before: Trace;
  readonly after: Trace;
  readonly found: Difference;
}

function EffectNumbers({ before, after, found }: Found) {
  const { all, byLayer, layers, predictions } = found;
  const wanted = useStore().view.selection.value.sequence;
  const first = layers.find((_, i) => byLayer[i]!.flipped > 0);
  const kl = meanOf(predictions);
  // Weights alone change predictions, too.
  const isFlipped = all.flipped !== 0;
  return (
    <>
      {after.sequences.length > 1 && <p class="caption">{t('ofSequence', t(after.sequences[wanted]!.role))}</p>}
      {!isFlipped && <p class="hint">{t('effectNone')}</p>}
      <dl class="numbers">
        {isFlipped && (
          <>
            <dt>{t('effectChoices')}</dt>
            <dd>
              {percent(all.flipped)}
              <span class="faint"> {t('effectHere', all.cells, cellsWords(found, after.sequences[wanted]!))}</span>
            </dd>
            <dt>{t('effectFirst')}</dt>
            <dd>{first ? `${first.stack?.[0] ?? ''}${first.layer}` : '–'}</dd>
          </>
        )}
        <LogProb
          title={t('compareLogProb')}
          from={before.sequences[wanted]}
          to={after.sequences[wanted]}
          found={found}
        />
        <dt>{t('effectKl')}</dt>
        <dd>{Number.isNaN(kl) ? '–' : t('effectKlOf', small(kl))}</dd>
      </dl>
      {isFlipped && <ByLayer before={before} after={after} found={found} />}
    </>
  );
}

function ByLayer({ before, after, found }: Found) {
  const { layers } = found;
  const { direct, downstream } = consequences(before, after, found);
  const high = Math.max(0.05, ...direct, ...downstream);
  return (
    <Figure
      name="effectByLayer"
      title={t('effectByLayer')}
      caption={t('effectByLayerCaption')}
      plot={() => ({
        kind: 'lines',
        x: { title: t('layerHead'), first: layers[0]?.layer ?? 0 },
        y: { ...inPercent(t('effectChoices')), high },
        series: [
          { name: t('effectDirect'), values: direct },
          { name: t('effectDownstream'), values: downstream, isOld: true },
        ],
      })}
      chart={() => (
        <Lines
          list={[
            { values: downstream, class: 'old' },
            { values: direct, class: 'main' },
          ]}
          high={high}
          first={layers[0]?.layer ?? 0}
        />
      )}
      table={() =>
        rowsOf(
          [t('layerHead'), t('effectDirect'), t('effectDownstream')],
          layers.map(({ stack, layer }, i) => [
            `${stack?.[0] ?? ''}${layer}`,
            percent(direct[i]!),
            percent(downstream[i]!),
          ]),
        )
      }
    />
  );
}
