import { atlases } from './atlases.js';
import { encoderDecoders } from './encoderDecoders.js';
import { experts } from './experts.js';
import { graphs } from './graphs.js';
import { imports } from './imports.js';
import { packed } from './packed.js';
import { pools } from './pools.js';
import { servers } from './servers.js';
import type { Target } from './target.js';
import { tokenizers } from './tokenizers.js';
import { traces } from './traces.js';

export const targets: readonly Target[] = [
  pools,
  encoderDecoders,
  experts,
  packed,
  tokenizers,
  graphs,
  traces,
  imports,
  atlases,
  servers,
];
