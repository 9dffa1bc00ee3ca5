import { Tokenizer } from '../engine/runtime/tokenizer.js';
import { Answerer } from '../channel/answerer.js';
import type { Asking } from '../channel/messages.js';
import { GanderError } from '../errors/errors.js';
import { encodeTrace } from '../trace/file/file.js';
import { importRouting } from './index.js';
import type { Answer, ImportCalls, Job } from './job.js';
import { readModel } from './model.js';

/** Answers the host that forked this process. */
export function answerHost(message: Asking): void {
  answerer.take(message);
}

const answerer = new Answerer<ImportCalls>(
  (_, job) => answer(job),
  (message) => process.connected && process.send!(message),
);

async function answer({ name, bytes, config, text, tokenizer, k, part = 1 }: Job): Promise<Answer> {
  const { trace, warnings } = await importRouting(name, bytes, {
    part,
    ...(k !== undefined && { k }),
    ...(text !== undefined && { text }),
    ...(config && { model: readModel(config) }),
    ...(tokenizer !== undefined && { vocabulary: vocabularyOf(tokenizer) }),
  });
  return { trace: encodeTrace(trace), warnings };
}

function vocabularyOf(file: string): Tokenizer {
  try {
    return new Tokenizer(file);
  } catch (cause) {
    const { message } = GanderError.from(cause);
    throw new GanderError('import-invalid', message, 'Name the model’s own tokenizer.json.', { cause });
  }
}
