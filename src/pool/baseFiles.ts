import { statSync } from 'node:fs';
import { bytesInWords } from '../formats/bytes.js';
import { GanderError } from '../errors/errors.js';
import { poolLimits } from '../checks/limits.js';

/** Checks sizes before either file is read or hashed. @throws GanderError `base-invalid`, `tokenizer-invalid` */
export function checkBaseSizes({ model, tokenizer }: { readonly model: string; readonly tokenizer: string }): void {
  const bytes = sizeOf(model);
  if (bytes > poolLimits.model)
    throw new GanderError(
      'base-invalid',
      `The model file has ${bytesInWords(bytes)}; ONNX allows at most ${bytesInWords(poolLimits.model)}.`,
      'Export it with external data.',
    );
  const read = sizeOf(tokenizer);
  if (read > poolLimits.tokenizer)
    throw new GanderError(
      'tokenizer-invalid',
      `The tokenizer has ${bytesInWords(read)}; at most ${bytesInWords(poolLimits.tokenizer)} are read.`,
      'Fetch the pool again, or save the tokenizer again with the tokenizers library.',
    );
}

const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
