import { encoderDecoder } from './encoder-decoder/index.js';
import type { Family } from './family.js';
import { loraPool } from './lora-pool/index.js';
import { moe } from './moe/index.js';

/** The first one reports what is wrong with a folder that no family claims. */
const families: readonly [Family, ...Family[]] = [loraPool, encoderDecoder, moe];

/** The family that the folder belongs to. */
export function familyOf(folder: string): Family {
  return families.find((family) => family.claims(folder)) ?? families[0];
}
