import type { ModelInfo, PoolInfo, ServerInfo } from './api.js';
import { GanderError } from '../errors/errors.js';

/** For what only pools have. @throws GanderError `request-invalid` */
export function asPool(info: ModelInfo): PoolInfo {
  if (info.kind === 'pool') return info;
  throw new GanderError('request-invalid', `${info.name} is not a pool on this machine.`, 'Choose a pool.');
}

/** Whether it is an encoder-decoder, which predicts a separate output. */
export function hasTarget(info: ModelInfo): boolean {
  return info.kind === 'server' ? info.can.target === true : info.hasTarget === true;
}

/** For what only models on this machine can do. @throws GanderError `request-invalid` */
export function asLocal(info: ModelInfo): Exclude<ModelInfo, ServerInfo> {
  if (info.kind !== 'server') return info;
  throw new GanderError('request-invalid', `${info.name} is run by a server.`, 'Choose a model on this machine.');
}
