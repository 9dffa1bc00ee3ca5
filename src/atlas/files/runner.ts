/** What turns documents into traces: a model here, a server, or nothing for traces that were saved. */
import { serverLimits } from '../../checks/limits.js';
import { GanderError } from '../../errors/errors.js';
import type { ModelInfo, RouteRequest } from '../../requests/api.js';
import type { Engine } from '../../requests/ask.js';
import { inParts } from '../../requests/textParts.js';
import { checkTraceSize, decodeTrace } from '../../trace/file/file.js';
import type { Intervention, Trace } from '../../trace/model/trace.js';
import type { KnockOut } from '../ablation.js';
import type { Route, TracedPart } from './make.js';

export interface Runner {
  readonly route: Route;
  /** How many documents it runs at once. */
  readonly atOnce: number;
  /** What must be the same to continue a run. */
  readonly asked: object;
  /** Runs the text of a trace again with something knocked out; absent for traces that were saved. */
  readonly rerun?: (trace: Trace, knockOut: KnockOut) => Promise<Trace>;
}

/** For saved traces. */
export const noRunner: Runner = { route: () => none(), atOnce: 1, asked: { traces: true } };

type Request = Pick<RouteRequest, 'text' | 'target' | 'interventions'>;

export interface OpenedModel {
  readonly engine: Engine;
  readonly model: ModelInfo;
}

/** How all documents are routed. */
export type AskedRoute = Pick<RouteRequest, 'strategy'> & { readonly interventions: readonly Intervention[] };

/** @throws GanderError `request-invalid` if an atlas of the model would be incomplete */
export function runnerOn({ engine, model }: OpenedModel, asked: AskedRoute, signal: AbortSignal): Runner {
  checkExpertsKnown(model);
  const isServer = model.kind === 'server';
  const run = (request: Request) => engine.route({ ...asked, ...request }, { signal });
  const once = isServer ? (request: Request) => againIfFailed(() => run(request)) : run;
  return {
    route: async function* (text, target) {
      // Half an input does not belong to the whole output, so a pair is not cut.
      if (target !== undefined) yield { trace: await once({ text, target }), at: 0 };
      else
        for await (const { at, result } of inParts(text, (part) => once({ text: part }))) yield { trace: result, at };
    },
    // While one is counted, the engine's process runs the next.
    atOnce: isServer ? serverLimits.atOnce : 2,
    asked: { ...asked, model: isServer ? model.address : model.hash },
    rerun: ({ sequences }, { intervention }) => {
      const [text = '', target] = sequences.map((sequence) => sequence.text);
      const interventions = [...asked.interventions, intervention];
      return once({ text, ...(target !== undefined && { target }), interventions });
    },
  };
}

/** Experts that no document chose would be missing, and other documents would choose others. */
function checkExpertsKnown(model: ModelInfo): void {
  if (model.kind !== 'server' || model.expertSets) return;
  throw new GanderError(
    'request-invalid',
    `${model.address} does not tell how many experts its layers have, so an atlas would miss those that are never chosen.`,
    'Give the config.json of its model: with --config or, in the editor, when you connect to it.',
  );
}

async function againIfFailed(run: () => Promise<Trace>): Promise<Trace> {
  try {
    return await run();
  } catch (thrown) {
    if (!(thrown instanceof GanderError && thrown.code === 'server-failed')) throw thrown;
    return run();
  }
}

async function* none(): AsyncGenerator<TracedPart> {
  // Saved traces are not run.
}

export function decode(bytes: Uint8Array): Trace {
  checkTraceSize(bytes.length);
  return decodeTrace(bytes);
}
