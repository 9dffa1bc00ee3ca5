/** The map's twin: the selected token's choices at every routed module, as a table. */
import { rowsAt, sharedSites, sitesOf } from '../../src/trace/model/access.js';
import { certaintyAt } from '../../src/trace/figures/distribution.js';
import { tokenLabel } from '../../src/trace/text/label.js';
import { TableBox } from '../components/table.js';
import { expertName, siteName } from '../look/names.js';
import { fixed, t } from '../look/strings.js';
import { choicesAt } from './model.js';
import type { GridScene } from './scene.js';

export function Twin({ scene }: { readonly scene: GridScene }) {
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
  readonly trace: Parameters<typeof sitesOf>[0];
  readonly sequence: number;
  readonly token: number;
}) {
  const sites = sitesOf(trace, { sequence });
  const name = t('gridTable', tokenLabel(trace.sequences[sequence]!, token));
  const row = (i: number) => {
    const s = sites[i]!;
    const site = trace.sites[s]!;
    const part = sharedSites(trace, { module: site.path, sequence });
    const chosen = part ? choicesAt(trace, part, token) : [];
    return [
      siteName(site),
      chosen
        .map(({ expert, weight }) => {
          const own = expertName(part!.set, expert, site);
          return weight === undefined ? own : `${own} ${fixed(weight)}`;
        })
        .join(', ') || t('none'),
      fixed(certaintyAt(trace, rowsAt(trace, s), token).margin),
    ];
  };
  return (
    <>
      <h3>{name}</h3>
      <TableBox rows={{ head: [t('module'), t('chosen'), t('margin')], count: sites.length, row }} caption={name} />
    </>
  );
}
