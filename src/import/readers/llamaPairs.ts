/**
 * CSV of `layer,expert`, without a header, as llama.cpp's proposed moe-trace writes it
 * (https://github.com/ggml-org/llama.cpp/pull/28544, examples/moe-trace/moe-trace.cpp): batch by batch, layer by layer, the k
 * experts of each token. The file says neither k nor where a batch ends; both follow from the order of its lines. The last layer
 * may have been run over a batch's last token only: tokens that a layer lacks are assumed to be its first ones.
 *
 * Up to commit 0a5bc4d that tool read a strided view as if it were contiguous (as a fork's README says), so of a batch of several
 * tokens only the first one's experts are right. A file does not show this.
 */
import { importLimits } from '../../checks/limits.js';
import { checkExpert, Choices, chosenTwice } from '../choices.js';
import { firstLine, linesOf, oddLine } from '../lines.js';
import { type Given, type Reader } from '../reader.js';
import { sayK, unreadable, unsaid } from '../unreadable.js';

const row = /^(\d{1,9}),(-?\d{1,9})$/;
const headers = ['layer,expert'];

export const llamaPairs: Reader = {
  name: 'CSV of layer,expert',
  claims: (first) => {
    const line = firstLine(first).trim();
    return headers.includes(line) || row.test(line);
  },
  read: (bytes, given) => {
    const { runs, experts } = readRuns(bytes);
    if (runs.length === 0) throw unreadable('it has no choices');
    const k = kOf(runs, experts, given);
    const choices = new Choices();
    let base = 0;
    for (const batch of batchesOf(runs)) {
      const tokens = batch.reduce((most, { length }) => Math.max(most, length / k), 0);
      for (const { layer, from, length } of batch) {
        const module = choices.moduleOf(layer, { layer });
        const lacking = tokens - length / k;
        for (let i = 0; i < length; i++)
          choices.add(module, base + lacking + Math.floor(i / k), i % k, experts[from + i]!);
      }
      base += tokens;
    }
    return {
      kind: 'llama.cpp',
      ...choices.columns(),
      warnings: [
        ...(given.k === undefined && given.model?.k === undefined
          ? [`The file does not say how many experts each token chose; by the order of its lines it was ${k}.`]
          : []),
        'Some versions of the program that wrote it give the right experts only for the first token of each batch.',
      ],
    };
  },
};

/** Consecutive lines of one layer. */
interface Run {
  readonly layer: number;
  readonly from: number;
  length: number;
}

function readRuns(bytes: Uint8Array): { runs: Run[]; experts: number[] } {
  const runs: Run[] = [];
  const experts: number[] = [];
  for (const line of linesOf(bytes)) {
    if (line.number === 1 && headers.includes(line.text)) continue;
    const [, layer, expert] = row.exec(line.text) ?? [];
    if (layer === undefined) throw oddLine(line, 'layer,expert: the file may be cut off');
    if (experts.length >= importLimits.choices) throw unreadable(`it has more than ${importLimits.choices} choices`);
    const last = runs.at(-1);
    if (last?.layer === Number(layer)) last.length++;
    else runs.push({ layer: Number(layer), from: experts.length, length: 1 });
    checkExpert(Number(expert));
    experts.push(Number(expert));
  }
  return { runs, experts };
}

/** Within a batch, layers follow in rising order. */
function* batchesOf(runs: readonly Run[]): Generator<readonly Run[]> {
  let batch: Run[] = [];
  for (const run of runs) {
    if (batch.length > 0 && run.layer <= batch.at(-1)!.layer) {
      yield batch;
      batch = [];
    }
    batch.push(run);
  }
  yield batch;
}

/** What was given, or else the largest number that divides each run: while a text is generated, a run is one token's. */
function kOf(runs: readonly Run[], experts: readonly number[], { k: said, model }: Given): number {
  const k = said ?? model?.k ?? runs.reduce((divisor, { length }) => greatestCommonDivisor(divisor, length), 0);
  const odd = runs.find(({ length }) => length % k !== 0);
  if (odd) throw unreadable(`layer ${odd.layer} has ${odd.length} lines in a row, which is not a multiple of k = ${k}`);
  if (chosenTwice(experts, k) !== undefined) throw unsaid('it does not show how many experts each token chose', sayK);
  return k;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
