/** What tools can reach; whoever offers them decides that. */
import type { About } from '../atlas/about.js';
import type { Where } from '../atlas/protocol.js';
import type { TableName } from '../atlas/tables/index.js';
import type { Row } from '../atlas/tables/table.js';
import type { SourceDescription } from '../requests/description.js';
import type { OfferedModel } from './model.js';
import type { KeptRun, KeptRuns } from './runs.js';

export interface TextFile {
  /** Absolute, with links followed. */
  readonly path: string;
  readonly text: string;
}

/** The atlas of a model. */
export interface ReachedAtlas {
  readonly folder: string;
  readonly about: About;
  rows(table: TableName, where: Where): Promise<readonly Row[]>;
}

export interface Reach {
  /** At least one; the first is used if a call names none. */
  models(): readonly OfferedModel[];
  readonly runs: KeptRuns;
  /** Rejects with a GanderError for a file that was not shared. */
  readText(file: string): Promise<TextFile>;
  /** Undefined if there is none of this model. */
  atlasOf(source: SourceDescription): Promise<ReachedAtlas | undefined>;
  /** Shows a run; absent where there is no editor. */
  open?(run: KeptRun): Promise<void>;
}
