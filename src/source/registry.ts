import { GanderError } from '../errors/errors.js';
import type { Source } from './source.js';

/** One kind of source of traces. */
export interface SourceKind {
  /** Whether what a person chose (a folder, a file, an address) is of this kind, by its name alone. */
  claims(chosen: string): boolean;
  open(chosen: string): Source;
}

/** All kinds of sources; the first that claims what was chosen opens it. */
export class SourceRegistry {
  constructor(private readonly kinds: readonly SourceKind[]) {}

  /** @throws GanderError `request-invalid` if no kind claims it */
  open(chosen: string): Source {
    const kind = this.kinds.find((one) => one.claims(chosen));
    if (kind) return kind.open(chosen);
    throw new GanderError(
      'request-invalid',
      `Nothing here reads "${chosen.slice(0, 200)}".`,
      'Choose a pool or a trace file.',
    );
  }
}
