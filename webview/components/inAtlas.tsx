/** Where the atlas of the model shows some experts: a link to the page of each, with what the atlas calls it. */
import { type Layer } from '../../src/trace/model/access.js';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import { percent, t } from '../look/strings.js';
import { fullName, fullNameAt, quotedWords, unitOf } from '../store/atlas.js';
import { useStore } from './context.js';
import { Button } from './controls.js';

/** More would not be read. */
const most = 4;

export function InAtlas({
  trace,
  set,
  layer,
  experts,
}: {
  readonly trace: Trace;
  readonly set: ExpertSet;
  /** Undefined: over all layers. */
  readonly layer: Layer | undefined;
  readonly experts: readonly number[];
}) {
  const store = useStore();
  const placed = { set, layer };
  const found = experts.flatMap((expert) => {
    const unit = unitOf(store, trace, layer, set.experts[expert]!.id);
    return unit ? [{ expert, unit }] : [];
  });
  if (found.length === 0) return null;
  const shown = found.slice(0, most);
  const quoted = quotedWords(
    store,
    trace,
    placed,
    shown.map(({ expert }) => expert),
  );
  return (
    <p class="inAtlas">
      <span class="faint">{t('inAtlas')}</span>
      {shown.map(({ expert, unit }) => (
        <Button
          key={unit.id}
          class="link"
          press={() => store.send({ type: 'unit', unit: unit.key })}
          title={t('inAtlasHint', fullNameAt(store, trace, placed, expert), percent(unit.load), percent(unit.chance))}
          data-focus={`atlas-${unit.id}`}
        >
          {fullName(store, trace, placed, expert)}
        </Button>
      ))}
      {quoted && <span class="faint">{quoted}</span>}
    </p>
  );
}
