/** Which sites a view or a what-if applies to. */
import type { Site, Stack } from './trace.js';

/** An absent field means all. */
export interface SiteFilter {
  readonly stack?: Stack | undefined;
  readonly layer?: number | undefined;
  /** The kind of one router, in a layer with several. */
  readonly router?: string | undefined;
  /** One kind, or several. */
  readonly kind?: string | readonly string[] | undefined;
  /** Site path. */
  readonly module?: string | undefined;
  readonly sequence?: number | undefined;
}

export function matches(site: Site, filter: SiteFilter): boolean {
  return (
    (filter.stack === undefined || filter.stack === site.stack) &&
    (filter.layer === undefined || filter.layer === site.layer) &&
    (filter.router === undefined || filter.router === site.kind) &&
    (filter.kind === undefined || [filter.kind].flat().includes(site.kind)) &&
    (filter.module === undefined || filter.module === site.path) &&
    (filter.sequence === undefined || filter.sequence === site.sequence)
  );
}
