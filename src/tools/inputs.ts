/** Parameters that several tools take. */
import { z } from 'zod';

export const modelInput = z
  .string()
  .min(1)
  .max(500)
  .optional()
  .describe('The model’s id from list_models. Default: the first of list_models.');

export const runInput = z.int().min(1);

export const expertInput = z
  .string()
  .min(1)
  .max(500)
  .describe('The expert’s id: in a pool a word such as "sql", in a mixture of experts layer.number such as "3.7".');

export const textInputs = {
  text: z
    .string()
    .max(4 * 2 ** 20)
    .optional()
    .describe('The text to route, exactly as the model is to read it. Give either text or file_path.'),
  file_path: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('A text file to route instead: an absolute path in one of the folders that the user shared.'),
  first_line: z.int().min(1).optional().describe('With file_path: the first line of the part to route, from 1.'),
  last_line: z.int().min(1).optional().describe('With file_path: the last line of the part to route.'),
};
