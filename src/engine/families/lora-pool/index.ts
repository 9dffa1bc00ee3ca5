import { existsSync } from 'node:fs';
import path from 'node:path';
import { readBase } from '../../../graph/base.js';
import { findModules } from '../../../graph/find.js';
import { namesPair } from '../../../pool/manifest.js';
import { causalModel } from '../../../pool/pool.js';
import type { Family } from '../family.js';
import { compose } from './compose.js';
import { type BaseKind, PoolModel } from './model.js';
import { PoolRecording } from './recording.js';
import { RoutedLens, RoutedSession } from './session.js';

/** A causal language model. */
const causal: BaseKind<RoutedSession> = {
  find: (pool, paths) => findModules(readBase(causalModel(pool)).model.graph, paths),
  compose,
  open: (composed, on) => RoutedSession.open(composed, on),
  openLens: (composed, on, cache) => RoutedLens.open(composed, on, cache),
  run: (session, steering, told) => ({
    recording: new PoolRecording(told),
    run: (chunk) => session.run(chunk, steering),
  }),
};

/** A base model with a pool of LoRA experts and their gates (docs/pool-format.md). */
export const loraPool: Family = {
  claims: (folder) => existsSync(path.join(folder, 'pool.json')) && !namesPair(folder),
  open: (folder, means, tried) => new PoolModel(folder, means, causal, tried),
};
