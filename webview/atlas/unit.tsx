/** One unit's page: what the atlas knows about it, beside what chance would give. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { number } from '../../src/atlas/tables/cells.js';
import { Button } from '../components/controls.js';
import { fixed, percent, t, whole } from '../look/strings.js';
import { Ablation } from './ablation.js';
import { Contexts } from './contexts.js';
import { Labels } from './labels.js';
import { byLift, foundLabel, isDead, isOverloaded, isSpecialised, liftOf, nameOf, type Unit } from './model.js';
import { useName } from './links.js';
import { Naming } from './naming.js';
import { Pairs } from './pairs.js';
import { AtlasPart } from './part.js';
import { besideChance, saidFailures, saidInterval, saidQ, saidTimes, saidUnit } from './said.js';
import type { Sheet } from './sheet.js';
import { Similar } from './similar.js';
import { useAtlas } from './store.js';
import { Tokens } from './tokens.js';

export function UnitPage({ unit }: { readonly unit: Unit }) {
  const store = useAtlas();
  const named = useName();
  const title = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    title.current!.closest('.atlas')!.scrollTop = 0;
    if (!store.hasMoved) return;
    store.hasMoved = false;
    title.current!.focus();
  }, [unit]);
  return (
    <>
      <header class="unitHead">
        <Button press={() => store.back()} data-focus="back" title={t('atlasBackHint')}>
          {t('atlasBack')}
        </Button>
        {store.looking.value.path.length > 1 && (
          <Button press={() => store.overview()} data-focus="overview">
            {t('atlasOverview')}
          </Button>
        )}
        <h2 ref={title} tabindex={-1}>
          {named(unit)}
        </h2>
        {isDead(unit) && <span class="tag">{t('atlasDead')}</span>}
        {isOverloaded(unit) && <span class="tag">{t('atlasOverloaded')}</span>}
      </header>
      <p class="sentence verdict">{verdict(unit)}</p>
      <div class="unitParts">
        <div>
          <Load unit={unit} />
          <Labels unit={unit} />
          <Tokens unit={unit} />
          <Naming key={JSON.stringify(unit.key)} unit={unit} own={nameOf(store.names.value, unit.key)} />
        </div>
        <div>
          <Contexts unit={unit} />
          <Pairs unit={unit} />
          {unit.layer.set.scope === 'pool' && <Similar unit={unit} />}
          <Ablation unit={unit} />
        </div>
      </div>
    </>
  );
}

/** What the test found, in a sentence; that it found nothing is an answer. */
function verdict(unit: Unit): string {
  if (isDead(unit)) return t('atlasVerdictDead');
  if (unit.labels.length < 2) return t('atlasVerdictNoLabels');
  const label = foundLabel(unit);
  const row = unit.labels.find((one) => one['label'] === label);
  if (row) return t('atlasVerdict', label, saidTimes(liftOf(unit, row)), saidQ(number(row, 'q')));
  const avoided = unit.labels.filter((one) => isSpecialised(one)).map((one) => String(one['label']));
  if (avoided.length > 0) return t('atlasVerdictAvoids', avoided.join(', '));
  const [best] = byLift(unit);
  const [lift, q] = [liftOf(unit, best), number(best, 'q')];
  if (Number.isNaN(q)) return t('atlasVerdictUnknown');
  return t('atlasVerdictNone', String(best!['label']), saidTimes(lift), saidQ(q), saidFailures(unit, best!));
}

function Load({ unit }: { readonly unit: Unit }) {
  const { row, key } = unit;
  const title = t('inNumbers');
  const plainLoad = t(key.layer === null ? 'atlasFactLoadOverall' : 'atlasFactLoad');
  const facts: readonly (readonly [name: string, value: string, plain: string])[] = [
    [t('usage'), `${percent(number(row, 'load'))} (${saidInterval(row, percent)})`, plainLoad],
    [t('chance'), percent(number(row, 'chance')), t('atlasFactChance')],
    [t('atlasChoices'), whole(number(row, 'tokens')), t('atlasFactChoices')],
    [t('atlasDocuments'), whole(number(row, 'documents')), t('atlasFactDocuments')],
    [t('atlasWeight'), fixed(number(row, 'weight')), t('atlasFactWeight')],
    [t('atlasScore'), fixed(number(row, 'score')), t('atlasFactScore')],
    [t('atlasFirst'), percent(number(row, 'first')), t('atlasFactFirst')],
    [t('atlasBy_specialisation'), besideChance(row, 'specialisation'), t('atlasFactSpecialisation')],
  ];
  const sheet: Sheet = {
    name: `${saidUnit(unit)} numbers`,
    title: `${saidUnit(unit)}: ${title}`,
    head: facts.map(([name]) => name),
    rows: [row],
    cells: () => facts.map(([, value]) => value),
  };
  return (
    <AtlasPart name="atlasUnit" title={title} sheet={sheet}>
      <dl class="numbers">
        {facts.map(([name, value, plain]) => [
          <dt key={name}>{name}</dt>,
          <dd key={`${name} value`}>
            {value} <span class="faint">· {plain}</span>
          </dd>,
        ])}
      </dl>
    </AtlasPart>
  );
}
