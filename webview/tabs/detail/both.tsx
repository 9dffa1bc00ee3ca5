/** While two runs are compared: who was chosen at the same place in each, side by side. */
import { modulesOf, sharedModules, type Layer, type SharedModules } from '../../../src/trace/model/access.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import type { Side } from '../../../src/protocol/panel.js';
import { useStore } from '../../components/context.js';
import { ExpertLabel } from '../../components/expert.js';
import type { Choice } from '../../map/model.js';
import { fixed, percent, t } from '../../look/strings.js';
import { fullName } from '../../store/atlas.js';
import { sideName } from '../../store/sides.js';
import type { Store } from '../../store/store.js';
import { chosenOf, knownOf } from './chosen.js';

interface Place {
  readonly layer: Layer | undefined;
  /** Of a routed module; undefined: all of the layer, or of the model. */
  readonly path: string | undefined;
}

interface Found {
  readonly trace: Trace;
  readonly part: SharedModules;
  /** The largest share first. */
  readonly choices: readonly Choice[];
  readonly isSum: boolean;
}

/** Of more experts than this, the others are counted. */
const most = 4;

const sides = ['main', 'other'] as const;

export function Both(place: Place) {
  const store = useStore();
  const [main, other] = sides.map((side) => foundIn(store, side, place));
  if (main === undefined || other === undefined) return null;
  const columns = [main, other] as const;
  return (
    <div class="both">
      <table>
        <caption class="unseen">{t('compareSides')}</caption>
        <thead>
          <tr>
            {sides.map((side) => {
              const name = `${t(side === 'main' ? 'compareThis' : 'compareOther')}: ${sideName(store, side)}`;
              return (
                <th key={side} scope="col" title={name}>
                  {name}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          <tr>
            {columns.map((found, i) => (
              <td key={i}>
                {typeof found === 'string' ? found : <Chosen side={sides[i]!} found={found} layer={place.layer} />}
              </td>
            ))}
          </tr>
        </tbody>
      </table>
      {typeof main !== 'string' && typeof other !== 'string' && !store.areStrangers.value && (
        <Common main={main} other={other} layer={place.layer} />
      )}
    </div>
  );
}

function Chosen({ side, found, layer }: { readonly side: Side; readonly found: Found } & Pick<Place, 'layer'>) {
  const store = useStore();
  const { trace, part, choices, isSum } = found;
  const looks = store.side(side).looks.value(part.set);
  if (choices.length === 0) return <>{t('none')}</>;
  return (
    <ul>
      {choices.slice(0, most).map(({ expert, weight }) => (
        <li key={expert}>
          <ExpertLabel looks={looks} expert={expert} name={fullName(store, trace, { set: part.set, layer }, expert)} />
          {weight !== undefined && <span class="value">{isSum ? percent(weight) : fixed(weight)}</span>}
        </li>
      ))}
      {choices.length > most && <li class="faint">{t('chosenMore', choices.length - most)}</li>}
    </ul>
  );
}

/** Of a cell: who is among the chosen in both runs. Over several modules, nearly everybody is. */
function Common({ main, other, layer }: { readonly main: Found; readonly other: Found } & Pick<Place, 'layer'>) {
  const store = useStore();
  if (main.isSum || main.choices.length === 0 || other.choices.length === 0) return null;
  const there = new Set(other.choices.map(({ expert }) => other.part.experts[expert]!.id));
  const names = main.choices
    .filter(({ expert }) => there.has(main.part.experts[expert]!.id))
    .map(({ expert }) => fullName(store, main.trace, { set: main.part.set, layer }, expert));
  return <p class="caption">{names.length > 0 ? t('bothChose', names.join(', ')) : t('bothChoseNone')}</p>;
}

/** What a run chose there, or why it chose nothing; undefined if there is nothing to compare there. */
function foundIn(store: Store, name: Side, { layer, path }: Place): Found | string | undefined {
  const [trace, { sequence, token, end = token + 1 }] = [store.side(name).trace.value, placeIn(store, name)];
  if (!trace || !store.other.isThere.value) return undefined;
  if (token < 0) return t('bothNoToken');
  const filter = path === undefined ? { ...layer, sequence } : { module: path, sequence };
  if (modulesOf(trace, filter).length === 0) return t('bothNoModule');
  const part = sharedModules(trace, filter);
  // Each layer has experts of its own.
  if (!part) return undefined;
  if (token >= part.sequence.done) return t('tokenToCome');
  if (knownOf({ trace, token, end }, part) === 0) return t('detailTokenUnknown', end - token);
  const isSum = part.modules.length > 1 || end > token + 1;
  return { trace, part, isSum, choices: chosenOf({ trace, token, end }, part) };
}

/** A line is as long in the other run as the tokens there that belong to it. */
function placeIn(store: Store, name: Side) {
  const [own, place] = [store.placeIn.main.value, store.placeIn[name].value];
  if (name === 'main' || own.end === undefined || own.token < 0) return place;
  const of = store.partners.value?.[own.sequence]?.of.subarray(own.token, own.end).filter((token) => token >= 0) ?? [];
  const [first = -1, last = first] = [of[0], of.at(-1)];
  return { sequence: own.sequence, token: first, ...(first >= 0 && { end: last + 1 }) };
}
