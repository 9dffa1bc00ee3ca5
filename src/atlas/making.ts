/** Makes atlases for the editor, as `gander atlas make` does, in a process that may be stopped or killed at any time. */
import os from 'node:os';
import path from 'node:path';
import type { OptionsOf } from '../channel/messages.js';
import { EngineClient } from '../engine/client.js';
import { remoteClient } from '../engine/remote.js';
import { GanderError } from '../errors/errors.js';
import type { Engine } from '../requests/ask.js';
import { hasTarget } from '../requests/modelInfo.js';
import type { About } from './about.js';
import type { CorpusRequest, MakingCalls, ModelChoice, Plan } from './calls.js';
import { areTraces, documentsOf, optionsOf } from './files/corpus.js';
import { checkFree, finish } from './files/finish.js';
import { bytesOf, filesOf, type Found } from './files/found.js';
import { holding } from '../files/hold.js';
import { lookAt } from './files/look.js';
import { readInto } from './files/make.js';
import { isRows, rowsOf } from './files/rows.js';
import { decode, noRunner, type Runner, runnerOn } from './files/runner.js';
import { Unfit } from './files/content.js';
import { paceOver } from './pace.js';

/** The fields of the first row of data; none if the corpus is of files. Rejects with a GanderError. */
export async function fieldsOf({ given }: MakingCalls['fields']['request']): Promise<readonly string[]> {
  const data = filesOf(given).find(({ file }) => isRows(file));
  if (!data) return [];
  for await (const { fields } of rowsOf(data.file, undefined, []))
    if (!(fields instanceof Unfit)) return Object.keys(fields);
  return [];
}

/** What an atlas would take. Rejects with a GanderError. */
export function look(request: CorpusRequest, options: OptionsOf<MakingCalls['look']>): Promise<Plan> {
  return running(request, options.signal, async (files, runner, signal) => {
    let looked = 0;
    return lookAt({
      documents: documentsOf(files, optionsOf(request.corpus)),
      route: runner.route,
      signal,
      onLook: () => options.onProgress?.(++looked, 0),
    });
  });
}

/** Continues an earlier run, if there is one. Rejects with a GanderError: `cancelled`, once what is done is kept. */
export function make(
  request: MakingCalls['make']['request'],
  options: OptionsOf<MakingCalls['make']>,
): Promise<About['totals']> {
  const { target, corpus } = request;
  return holding(target, () => {
    checkFree(target);
    return running(request, options.signal, async (files, runner, signal) => {
      const paceOf = paceOver(bytesOf(files));
      const journal = await readInto({
        ...runner,
        target,
        asked: { ...runner.asked, corpus },
        documents: documentsOf(files, optionsOf(corpus)),
        decode,
        onDone: (done) => {
          void options.onPartial?.(paceOf(done));
          if (signal.aborted) throw stopped();
        },
      });
      return finish(journal, target, corpus).totals;
    });
  });
}

async function running<T>(
  { given, corpus, model, asked }: CorpusRequest,
  signal = new AbortController().signal,
  body: (files: readonly Found[], runner: Runner, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // Whoever edits or routes meanwhile comes first.
  os.setPriority(os.constants.priority.PRIORITY_BELOW_NORMAL);
  const files = filesOf(given);
  if (areTraces(files)) return body(files, noRunner, signal);
  const engine = engineOf(model);
  try {
    const info = await engine.info(undefined, { signal });
    if (corpus.target !== null && !hasTarget(info)) throw noTarget(info.name);
    return await body(files, runnerOn({ engine, model: info }, asked, signal), signal);
  } finally {
    engine.dispose();
  }
}

function engineOf(model: ModelChoice): Engine {
  const script = (name: string) => path.join(__dirname, name);
  if ('address' in model) {
    const { address, access, deadlineMs: patienceMs } = model;
    return remoteClient({ address, access, patienceMs, entry: script('remote.cjs') });
  }
  return new EngineClient({ ...model, entry: script('engine.cjs') });
}

function stopped(): GanderError {
  return new GanderError('cancelled', 'Stopped; what is done is kept.', 'Make it again to continue.');
}

function noTarget(name: string): GanderError {
  return new GanderError(
    'request-invalid',
    `${name} is no encoder-decoder: it goes on with its text.`,
    'Choose no field with an output.',
  );
}
