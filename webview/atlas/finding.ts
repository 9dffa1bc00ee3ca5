/** The rows that say which units take what is searched for, those that take it most first. */
import type { AtlasCalls } from '../../src/atlas/protocol.js';
import { asked } from '../../src/atlas/specialised.js';
import { number, unitKeyIn, word } from '../../src/atlas/tables/cells.js';
import type { Row } from '../../src/atlas/tables/table.js';
import { type Atlas, isSpecialised, liftOf, type Query } from './model.js';

/** Asks the host; undefined if it refuses. */
type Ask = <N extends 'find' | 'text'>(
  name: N,
  request: AtlasCalls[N]['request'],
) => Promise<{ readonly result: AtlasCalls[N]['result'] } | undefined>;

export async function rowsFor({ kind, text }: Query, atlas: Atlas, ask: Ask): Promise<Row[] | undefined> {
  switch (kind) {
    case 'label': {
      const label = text.toLocaleLowerCase();
      const rows = atlas.units.flatMap((unit) =>
        unit.labels.filter(
          (row) =>
            word(row, 'label').toLocaleLowerCase().includes(label) && isSpecialised(row) && liftOf(unit, row) > 0,
        ),
      );
      return rows.sort((a, b) => number(b, 'lift') - number(a, 'lift'));
    }
    case 'token': {
      const answer = await ask('find', { token: text });
      const rows = answer?.result.filter((row) => number(row, 'lift') >= asked.lift && atlas.unit(unitKeyIn(row)));
      return rows?.sort((a, b) => number(b, 'lift') - number(a, 'lift'));
    }
    case 'text': {
      const answer = await ask('text', { text });
      const lift = (row: Row) => Math.log2(number(row, 'share') / number(row, 'corpus'));
      return answer?.result
        .flatMap((row): Row[] => {
          const unit = atlas.unit(row);
          return unit ? [{ ...row, corpus: number(unit.row, 'load') }] : [];
        })
        .filter((row) => lift(row) >= asked.lift)
        .sort((a, b) => lift(b) - lift(a));
    }
  }
}
