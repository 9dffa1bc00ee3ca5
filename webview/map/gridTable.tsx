/** The map as a table: the selected token's choices at every routed module. */
import { rowsAt, sharedModules, modulesOf } from '../../src/trace/model/access.js';
import { certaintyAt } from '../../src/trace/figures/distribution.js';
import { tokenLabel } from '../../src/trace/text/label.js';
import { TableBox } from '../components/table.js';
import { expertName, moduleName } from '../look/names.js';
import { fixed, t } from '../look/strings.js';
import { choicesAt } from './model.js';
import type { GridScene } from './scene.js';

export function GridTable({ scene }: { readonly scene: GridScene }) {
  const { store, side } = scene;
  const trace = store.side(side.value).trace.value;
  const { sequence, token } = store.placeIn[side.value].value;
  const isThere = trace !== undefined && token >= 0;
  return (
    <div class="gridTable">
      {!isThere && <p class="hint">{t('gridTableHint')}</p>}
      {isThere && <Choices trace={trace} sequence={sequence} token={token} />}
    </div>
  );
}

function Choices({
  trace,
  sequence,
  token,
}: {
  readonly trace: Parameters<typeof modulesOf>[0];
  readonly sequence: number;
  readonly token: number;
}) {
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
        .join(', ') || t('none'),
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
