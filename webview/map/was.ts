/** What a cell that a what-if changed was before. Pure. */
import { sharedModules } from '../../src/trace/model/access.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { plainName } from '../look/names.js';
import { percent, t } from '../look/strings.js';
import { initial } from '../store/state.js';
import { within } from './cells.js';
import { columnOf, columnsOf } from './columns.js';
import type { Place } from './geometry.js';
import { cellAt, choicesAt, rasterOf, type Raster, type Row } from './model.js';
import { isChange, weightOf } from './words.js';

/** Of more experts, it is said how many. */
const most = 3;

/**
 * Which experts a changed cell had: a token's, or those that led a line's tokens. Empty for a cell that is as it was. A filter of
 * experts leaves only some of now, so nothing is compared with that.
 */
export function wasAt(trace: Trace, before: Trace | undefined, raster: Raster, at: Place): string {
  const cell = cellAt(raster, at.column, at.row);
  const changed = raster.changed?.[at.row * raster.columns.count + at.column] ?? 0;
  if (!before || !cell || !(changed > 0) || isChange(raster) || raster.isFiltered?.[at.row]) return '';
  const { row, sequence, token, end } = cell;
  const was = formerly(trace, before, row);
  const part = was.parts[sequence];
  if (!part) return '';
  if (!raster.isTurned) {
    const list = choicesAt(before, part, token);
    return said(
      list.map((choice) => `${plainName(part.set, choice.expert)} ${weightOf(choice, part.modules.length > 1)}`),
    );
  }
  const columns = columnsOf(before);
  const [from, to] = [columnOf(columns, sequence, token), columnOf(columns, sequence, end - 1)];
  if (from < 0 || to < 0) return '';
  const own = rasterOf(before, [was], columns, initial.filter, undefined);
  const { shares, known } = within(own, { column: from, row: 0 }, { column: to, row: 0 });
  return said(shares.map(({ expert, count }) => `${plainName(part.set, expert)} ${percent(count / known)}`));
}

function said(all: readonly string[]): string {
  if (all.length === 0) return '';
  const more = all.length > most ? ` ${t('chosenMore', all.length - most)}` : '';
  return t(
    'changedWas',
    all
      .slice(0, most)
      .map((one) => one.trim())
      .join(', ') + more,
  );
}

/** The same modules in the run before. */
function formerly(trace: Trace, before: Trace, row: Row): Row {
  const parts = row.parts.map((part, sequence) => {
    if (!part) return undefined;
    if (row.module >= 0) return sharedModules(before, { module: trace.modules[row.module]!.path, sequence });
    const kind = [...new Set(Array.from(part.modules, (s) => trace.modules[s]!.kind))];
    const { layer, stack, router } = row;
    return sharedModules(before, {
      layer,
      ...(stack && { stack }),
      ...(router !== undefined && { router }),
      kind,
      sequence,
    });
  });
  return { ...row, parts };
}
