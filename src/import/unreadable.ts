/** What is said of a file of another program that cannot be read, and what helps. */
import { GanderError } from '../errors/errors.js';

/** What is wrong with what others wrote, in half a sentence: it may have come as a file, or from a server. */
export class Unreadable extends GanderError {
  constructor(
    readonly what: string,
    remedy: string,
    options?: ErrorOptions,
  ) {
    super('import-invalid', `This file cannot be imported: ${what}.`, remedy, options);
  }
}

export function unreadable(what: string, remedy = 'Write the file anew, or look where it was cut.', cause?: unknown) {
  return new Unreadable(what, remedy, { cause });
}

export function severalTexts(texts: number, part: number): string {
  return `It holds ${texts} texts; this is number ${part}.`;
}

export function noText(texts: number, part: number): GanderError {
  if (texts === 0) return unreadable('it holds no choice');
  return unreadable(`it holds ${texts} texts, and nothing of number ${part}`, 'Ask for another part.');
}

/** What the file leaves open and a person can say. */
export function unsaid(what: string, how: string): GanderError {
  return unreadable(what, `${how}.`);
}

export const sayK = 'Import Routing… in the editor asks for it; gander import takes --k <n> or --config <config.json>';
