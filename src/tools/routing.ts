/** Runs a text, and keeps the run. */
import { GanderError } from '../errors/errors.js';
import type { RouteRequest } from '../requests/api.js';
import type { SourceDescription } from '../requests/description.js';
import type { OfferedModel } from './model.js';
import type { Reach } from './reach.js';
import type { FilePart, KeptRun, Run } from './runs.js';
import type { Call } from './tool.js';

export interface GivenText {
  readonly text?: string | undefined;
  readonly file_path?: string | undefined;
  readonly first_line?: number | undefined;
  readonly last_line?: number | undefined;
}

export interface ReadPart {
  readonly text: string;
  readonly file?: FilePart;
}

/** @throws GanderError `request-invalid`, `text-empty`, or why the file cannot be read */
export async function textGiven(given: GivenText, reach: Reach): Promise<ReadPart> {
  const { text, file_path: path, first_line: first, last_line: last } = given;
  if ((text === undefined) === (path === undefined))
    throw new GanderError(
      'request-invalid',
      'A call needs a text or a file, and not both.',
      'Give text, or file_path.',
    );
  if (path === undefined && (first ?? last) !== undefined)
    throw new GanderError('request-invalid', 'Lines are lines of a file.', 'Give file_path, or leave the lines out.');
  const read = path === undefined ? { text: text! } : part(await reach.readText(path), first, last);
  if (read.text.trim() === '') throw new GanderError('text-empty', 'There is no text to route.', 'Give a text.');
  return read;
}

function part({ path, text }: { readonly path: string; readonly text: string }, first = 1, last = Infinity): ReadPart {
  const lines = text.split(/(?<=\n)/);
  if (first > last) throw new GanderError('request-invalid', 'last_line is before first_line.', 'Exchange them.');
  if (first > lines.length)
    throw new GanderError('request-invalid', `${path} has only ${lines.length} lines.`, 'Give lines that it has.');
  const lastLine = Math.min(last, lines.length);
  return { text: lines.slice(first - 1, lastLine).join(''), file: { path, firstLine: first, lastLine } };
}

export interface Routing {
  readonly model: OfferedModel;
  readonly request: RouteRequest;
  readonly file?: FilePart | undefined;
}

/** Routes and keeps the run. Progress counts tokens. */
export async function routed({ model, request, file }: Routing, reach: Reach, call: Call): Promise<KeptRun> {
  call.progress(0, undefined, `loading ${model.id}`);
  const trace = await model.source.route(request, {
    signal: call.signal,
    onProgress: (done, of) => call.progress(done, of, 'tokens routed'),
  });
  const run: Run = { model, request, trace, ...(file && { file }) };
  return reach.runs.keep(run);
}

/** Only for an encoder-decoder. @throws GanderError `request-invalid` */
export function outputAsked(
  { name, can }: SourceDescription,
  output: string | undefined,
): { readonly target?: string } {
  if (output === undefined) return {};
  if (can.target) return { target: output };
  throw new GanderError(
    'request-invalid',
    `${name} goes on with its text: it takes no output_text.`,
    'Leave output_text out.',
  );
}

/** What is said of a run's number. */
export function keptAs({ id }: KeptRun, reach: Reach): string {
  return reach.runs.has(id)
    ? `It is kept as run ${id}.`
    : `It is run ${id}, but too large to be kept: other tools cannot refer to it. Route a shorter text.`;
}
