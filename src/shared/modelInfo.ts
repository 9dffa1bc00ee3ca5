import type { ModelInfo, PoolInfo } from '../engine/api.js';
import { GanderError } from './errors.js';

/** For what only a pool has. @throws GanderError `request-invalid` */
export function asPool(info: ModelInfo): PoolInfo {
  if (info.kind === 'pool') return info;
  throw new GanderError(
    'request-invalid',
    `${info.name} is no pool: it routes by a router of its own.`,
    'Choose a pool.',
  );
}
