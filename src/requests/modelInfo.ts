import type { ModelInfo, PoolInfo, ServerInfo } from './api.js';
import { GanderError } from '../errors/errors.js';

/** For what only a pool has. @throws GanderError `request-invalid` */
export function asPool(info: ModelInfo): PoolInfo {
  if (info.kind === 'pool') return info;
  throw new GanderError('request-invalid', `${info.name} is not a pool on this machine.`, 'Choose a pool.');
}

/** An encoder-decoder: what is predicted is an output of its own. */
export function hasTarget(info: ModelInfo): boolean {
  return info.kind === 'server' ? info.can.target === true : info.hasTarget === true;
}

/** For what only a model on this machine can be asked. @throws GanderError `request-invalid` */
export function asLocal(info: ModelInfo): Exclude<ModelInfo, ServerInfo> {
  if (info.kind !== 'server') return info;
  throw new GanderError('request-invalid', `${info.name} is run by a server.`, 'Choose a model on this machine.');
}
