import { Tokenizer } from '../engine/runtime/tokenizer.js';
import { GanderError } from '../shared/errors.js';
import { encodeTrace } from '../trace/file.js';
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
      ...(tokenizer !== undefined && { vocabulary: new Tokenizer(tokenizer) }),
    });
    return { trace: encodeTrace(trace), warnings };
  } catch (thrown) {
    return { error: GanderError.from(thrown).toData() };
  }
}
