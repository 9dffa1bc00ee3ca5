/** The map as a table: the selected token's choices at every routed module, or the number that colours the map. */
import { rowsAt, sharedModules, modulesOf } from '../../src/trace/model/access.js';
import { ChoicePairs } from '../../src/trace/alignment/change.js';
import { isByLayer, valuesOf } from '../../src/trace/figures/colouring.js';
import { certaintyAt } from '../../src/trace/figures/distribution.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { tokenLabel } from '../../src/trace/text/label.js';
import { TableBox } from '../components/table.js';
import { expertName, moduleName } from '../look/names.js';
import { fixed, percent, t } from '../look/strings.js';
import { absentIn } from './change.js';
import { choicesAt, isKnownIn } from './model.js';
import type { GridScene } from './scene.js';
import { changeWords } from './words.js';

export function GridTable({ scene }: { readonly scene: GridScene }) {
  const { store, side, measure, isChange } = scene;
  const trace = store.side(side.value).trace.value;
  const { sequence, token } = store.placeIn[side.value].value;
  if (trace === undefined || token < 0) {
    const isNumber = measure.value !== undefined || isChange.value;
    return (
      <div class="gridTable">
        <p class="hint">{t(isNumber ? 'gridTableHintNumber' : 'gridTableHint')}</p>
      </div>
    );
  }
  const number = numberOf(scene, trace, sequence, token);
  return (
    <div class="gridTable">
      {number ? (
        <Numbers trace={trace} sequence={sequence} token={token} number={number} />
      ) : (
        <Choices trace={trace} sequence={sequence} token={token} />
      )}
    </div>
  );
}

/** What colours the map instead of experts. */
interface Shown {
  readonly name: string;
  /** A routed module's, in words. */
  readonly at: (module: number) => string;
}

function numberOf(scene: GridScene, trace: Trace, sequence: number, token: number): Shown | undefined {
  const { measure, isChange, store } = scene;
  const by = measure.value;
  if (by) {
    const of = (modules: Int32Array) => fixed(valuesOf(trace, sequence, by, modules)[token] ?? NaN);
    const whole = isByLayer(by) ? undefined : of(new Int32Array());
    return { name: t(`drawn_${by}`), at: (s) => whole ?? of(Int32Array.of(s)) };
  }
  const [change, partners, other] = [store.changes.value?.[sequence], store.partners.value, store.against.value];
  if (!isChange.value || !change || !partners || !other) return undefined;
  const isAbsent = absentIn({ here: trace, there: other }, sequence, partners[sequence])[token] === 1;
  if (change.by === 'logProb') {
    const said = isAbsent ? t('notInOther') : changeWords(change.value[token] ?? NaN);
    return { name: t('drawn_change'), at: () => said };
  }
  const pairs = new ChoicePairs(trace, other);
  // Only this token's: a table reads a row for each module.
  const of = partners[sequence]!.of.map((partner, t) => (t === token ? partner : -1));
  return {
    name: t('drawn_difference'),
    at(s) {
      const share = pairs.shares(Int32Array.of(s), sequence, { of })[token]!;
      if (Number.isNaN(share)) return t(isAbsent ? 'notInOther' : 'unknownCell');
      return t('differs', percent(share));
    },
  };
}

interface Props {
  readonly trace: Trace;
  readonly sequence: number;
  readonly token: number;
}

function Numbers({ trace, sequence, token, number }: Props & { readonly number: Shown }) {
  const modules = modulesOf(trace, { sequence });
  const title = t('gridTableNumber', number.name, tokenLabel(trace.sequences[sequence]!, token));
  const row = (i: number) => [moduleName(trace.modules[modules[i]!]!), number.at(modules[i]!)];
  return (
    <>
      <h3>{title}</h3>
      <TableBox rows={{ head: [t('module'), number.name], count: modules.length, row }} caption={title} />
    </>
  );
}

function Choices({ trace, sequence, token }: Props) {
  const modules = modulesOf(trace, { sequence });
  const name = t('gridTable', tokenLabel(trace.sequences[sequence]!, token));
  const row = (i: number) => {
    const s = modules[i]!;
    const module = trace.modules[s]!;
    const part = sharedModules(trace, { module: module.path, sequence });
    const chosen = part ? choicesAt(trace, part, token) : [];
    return [
      moduleName(module),
      chosen
        .map(({ expert, weight }) => {
          const own = expertName(part!.set, expert, module);
          return weight === undefined ? own : `${own} ${fixed(weight)}`;
        })
        .join(', ') || t(part && isKnownIn(trace, part, token) ? 'none' : 'unknownCell'),
      fixed(certaintyAt(trace, rowsAt(trace, s), token).margin),
    ];
  };
  return (
    <>
      <h3>{name}</h3>
      <TableBox rows={{ head: [t('module'), t('chosen'), t('margin')], count: modules.length, row }} caption={name} />
    </>
  );
}
