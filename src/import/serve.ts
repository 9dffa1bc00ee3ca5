import { Tokenizer } from '../engine/runtime/tokenizer.js';
import { GanderError } from '../errors/errors.js';
import { encodeTrace } from '../trace/file/file.js';
import { importRouting } from './index.js';
import type { Answer, Job } from './job.js';
import { readModel } from './model.js';

export async function answer({ name, bytes, config, text, tokenizer, k, part = 1 }: Job): Promise<Answer> {
  try {
    const { trace, warnings } = await importRouting(name, bytes, {
      part,
      ...(k !== undefined && { k }),
      ...(text !== undefined && { text }),
      ...(config && { model: readModel(config) }),
      ...(tokenizer !== undefined && { vocabulary: vocabularyOf(tokenizer) }),
    });
    return { trace: encodeTrace(trace), warnings };
  } catch (thrown) {
    return { error: GanderError.from(thrown).toData() };
  }
}

function vocabularyOf(file: string): Tokenizer {
  try {
    return new Tokenizer(file);
  } catch (cause) {
    const { message } = GanderError.from(cause);
    throw new GanderError('import-invalid', message, 'Name the model’s own tokenizer.json.', { cause });
  }
}
