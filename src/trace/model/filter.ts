/** Which modules a view or a what-if applies to. */
import type { RoutedModule, Stack } from './trace.js';

/** An absent field means all. */
export interface ModuleFilter {
  readonly stack?: Stack | undefined;
  readonly layer?: number | undefined;
  /** The kind of one router, in a layer with several. */
  readonly router?: string | undefined;
  /** One kind, or several. */
  readonly kind?: string | readonly string[] | undefined;
  /** Module path. */
  readonly module?: string | undefined;
  readonly sequence?: number | undefined;
}

export function matches(module: RoutedModule, filter: ModuleFilter): boolean {
  return (
    (filter.stack === undefined || filter.stack === module.stack) &&
    (filter.layer === undefined || filter.layer === module.layer) &&
    (filter.router === undefined || filter.router === module.kind) &&
    (filter.kind === undefined || [filter.kind].flat().includes(module.kind)) &&
    (filter.module === undefined || filter.module === module.path) &&
    (filter.sequence === undefined || filter.sequence === module.sequence)
  );
}
