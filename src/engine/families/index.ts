import { encoderDecoder } from './encoder-decoder/index.js';
import type { Family } from './family.js';
import { loraPool } from './lora-pool/index.js';
import { moe } from './moe/index.js';

/** The first is who says what is wrong with a folder that nobody claims. */
const families: readonly [Family, ...Family[]] = [loraPool, encoderDecoder, moe];

/** Whose the folder is. */
export function familyOf(folder: string): Family {
  return families.find((family) => family.claims(folder)) ?? families[0];
}
