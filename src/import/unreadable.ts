/** Errors for files of other programs that cannot be read, and what helps. */
import { GanderError } from '../errors/errors.js';

/** `what`: in half a sentence, what is wrong with data of another program, which may come as a file or from a server. */
export class Unreadable extends GanderError {
  constructor(
    readonly what: string,
    remedy: string,
    options?: ErrorOptions,
  ) {
    super('import-invalid', `This file cannot be imported: ${what}.`, remedy, options);
  }
}

export function unreadable(
  what: string,
  remedy = 'Write the file again, or check whether it was cut off.',
  cause?: unknown,
) {
  return new Unreadable(what, remedy, { cause });
}

export function severalTexts(texts: number, part: number): string {
  return `It has ${texts} texts; this is number ${part}.`;
}

export function noText(texts: number, part: number): GanderError {
  if (texts === 0) return unreadable('it has no choices');
  return unreadable(`it has ${texts} texts, but nothing of number ${part}`, 'Ask for another part.');
}

/** The error for something that the file leaves open and a person can say. */
export function unsaid(what: string, how: string): GanderError {
  return unreadable(what, `${how}.`);
}

export const sayK = 'Import Routing… in the editor asks for it; gander import takes --k <n> or --config <config.json>';
