import { statSync } from 'node:fs';
import { bytesInWords } from '../shared/bytes.js';
import { GanderError } from '../shared/errors.js';
import { poolLimits } from '../shared/limits.js';

/** Before a model's file is read, or only hashed. @throws GanderError `base-invalid` */
export function checkModelSize(file: string): void {
  const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes <= poolLimits.model) return;
  throw new GanderError(
    'base-invalid',
    `The model file has ${bytesInWords(bytes)}; ONNX allows at most ${bytesInWords(poolLimits.model)}.`,
    'Export it with external data.',
  );
}
