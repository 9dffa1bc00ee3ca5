import { isObject } from '../../checks/plain.js';

/**
 * Why a tokenizer.json that the library loads would fail later, in half a sentence: at the first unknown word in a text, or by
 * ending the process.
 */
export function tokenizerProblem(json: unknown): string | undefined {
  return unknownProblem(partOf(json, 'model')) ?? processorProblem(partOf(json, 'post_processor'));
}

/** Models that cannot spell unknown words need a token for them. Source: tokenizers 0.23, src/models. */
function unknownProblem(model: unknown): string | undefined {
  const type = partOf(model, 'type');
  const vocabulary = partOf(model, 'vocab');
  if (type === 'Unigram')
    return typeof partOf(model, 'unk_id') === 'number'
      ? undefined
      : 'its Unigram model has no unk_id: it has no token for unknown text';
  if ((type !== 'WordPiece' && type !== 'WordLevel') || !isObject(vocabulary)) return undefined;
  const unknown = partOf(model, 'unk_token');
  return typeof unknown === 'string' && Object.hasOwn(vocabulary, unknown)
    ? undefined
    : `the unknown token ${JSON.stringify(unknown)} is missing in the vocabulary of its ${type} model`;
}

/** A template for one text may name only that text and special tokens that it lists: src/processors/template.rs does not check it. */
function processorProblem(processor: unknown): string | undefined {
  if (partOf(processor, 'type') === 'Sequence')
    return listOf(processor, 'processors')
      .map(processorProblem)
      .find((problem) => problem !== undefined);
  if (partOf(processor, 'type') !== 'TemplateProcessing') return undefined;
  const listed = partOf(processor, 'special_tokens');
  for (const piece of listOf(processor, 'single')) {
    const text = partOf(partOf(piece, 'Sequence'), 'id');
    if (text === 'B') return 'its template for one text names a second one (B)';
    const special = partOf(partOf(piece, 'SpecialToken'), 'id');
    if (typeof special === 'string' && !(isObject(listed) && Object.hasOwn(listed, special)))
      return `its template names ${JSON.stringify(special)}, which is missing in its special_tokens`;
  }
  return undefined;
}

const partOf = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined);

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = partOf(value, key);
  return Array.isArray(list) ? list : [];
}
