import { existsSync } from 'node:fs';
import path from 'node:path';
import { namesPair, readJson } from '../../../pool/manifest.js';
import type { Pool } from '../../../pool/pool.js';
import { GanderError } from '../../../errors/errors.js';
import type { Family } from '../family.js';
import { type BaseKind, PoolModel } from '../lora-pool/model.js';
import { PoolRecording, inputAndOutput } from '../lora-pool/recording.js';
import { composePair, findInPair } from './compose.js';
import { PairLens, PairSession } from './session.js';

/** An encoder, which reads the text whole, and a decoder, which writes an output token by token. */
const pair: BaseKind<PairSession> = {
  find: findInPair,
  compose: composePair,
  open: (composed, on) => PairSession.open(composed, on),
  openLens: (composed, on, cache) => PairLens.open(composed, on, cache),
  run: (session, steering, told) => ({
    recording: new PoolRecording(told, inputAndOutput),
    encode: (ids) => session.encode(ids, steering),
    run: (chunk) => session.run(chunk, steering),
  }),
  startToken,
};

/** A pool whose base is an encoder-decoder (docs/pool-format.md, "Encoder-decoder base"). */
export const encoderDecoder: Family = {
  claims: (folder) => existsSync(path.join(folder, 'pool.json')) && namesPair(folder),
  open: (folder, means, tried) => new PoolModel(folder, means, pair, tried),
};

function startToken({ folder, manifest }: Pool): number {
  const { decoder_start_token_id: id } = readJson(folder, manifest.base.config) as { decoder_start_token_id?: unknown };
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0) return id;
  throw new GanderError(
    'pool-invalid',
    `${manifest.base.config} does not name a decoder_start_token_id.`,
    "Restore it from the base model's own config.json.",
  );
}
