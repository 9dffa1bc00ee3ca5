/** A tool that an agent calls: its words are for a language model, its answer a text with tables. */
import { z } from 'zod';
import { schemaProblem } from '../checks/schemaWords.js';
import { GanderError } from '../errors/errors.js';
import type { Reach } from './reach.js';

export interface Call {
  readonly signal: AbortSignal;
  /** `of`: undefined if it is not known how much there is to do. */
  readonly progress: (done: number, of: number | undefined, what: string) => void;
}

interface ToolWords {
  /** As `{verb}_{noun}`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** For a language model: what it does and answers, when to use it and when not, its limits. */
  readonly description: string;
  /** It runs a model on a text, which goes where the model is. */
  readonly sendsText?: true;
  /** It needs an editor to show something in. */
  readonly needsEditor?: true;
}

export interface Tool extends ToolWords {
  /** Its parameters as JSON Schema. */
  readonly inputSchema: { readonly type: 'object'; readonly [key: string]: unknown };
  /** Rejects with a GanderError: `request-invalid` for parameters that it does not take. */
  readonly call: (given: unknown, reach: Reach, call: Call) => Promise<string>;
}

export function tool<Shape extends z.ZodRawShape>({
  input,
  run,
  ...words
}: ToolWords & {
  readonly input: z.ZodObject<Shape>;
  readonly run: (input: z.output<z.ZodObject<Shape>>, reach: Reach, call: Call) => Promise<string>;
}): Tool {
  const { $schema: _dialect, ...inputSchema } = z.toJSONSchema(input, { io: 'input' });
  return {
    ...words,
    inputSchema: inputSchema as Tool['inputSchema'],
    async call(given, reach, call) {
      const read = input.safeParse(given ?? {});
      if (read.success) return run(read.data, reach, call);
      const names = Object.keys(input.shape);
      throw new GanderError(
        'request-invalid',
        `This call of ${words.name} cannot be understood: ${schemaProblem(read.error)}.`,
        names.length > 0 ? `Its parameters are ${names.join(', ')}.` : 'It takes no parameters.',
      );
    },
  };
}
