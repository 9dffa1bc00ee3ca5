/** Tries a card on a model: one text on the processor and on the card, compared and timed. */
import { performance } from 'node:perf_hooks';
import { ganderVersion } from '../product/version.js';
import type { ModelInfo, RouteRequest } from '../requests/api.js';
import type { Card, Device, DeviceUse, Outcome, Provider, Subject, Tried } from '../requests/device.js';
import { strategyOf, usualStrategy } from '../strategies/index.js';
import type { Trace } from '../trace/model/trace.js';
import { answersOf } from './answers.js';
import { cardsOn, compared, driverOf, keepOutcome, keptOutcome, reasonOf, useOf, wasTried } from './device.js';
import type { Model } from './families/family.js';
import { onnxruntimeVersion } from './runtime/session.js';
import type { Outlet } from './serve.js';
import { Stopped } from './stopped.js';

/** Prose, code and numbers, so that different experts are chosen. */
const passage =
  'The river was low that year, and the old bridge stood on dry stones. def mean(values): return sum(values) / len(values) ' +
  'SELECT name, count(*) FROM birds WHERE seen > 3 GROUP BY name; If x + 3 = 10, then x = 7, and its square is 49. ';

/** Enough for a card to show what it can do, few enough for one that cannot. */
const mostTokens = 64;

export interface Choosing {
  readonly asked: Device;
  /** Known to the host: this card's process died. */
  readonly lost: Tried | undefined;
  /** Whether what was found earlier counts for nothing. */
  readonly again: boolean;
  /** The folder of the cache, where outcomes are kept. */
  readonly cache: string;
  readonly chunk: number;
  readonly open: (on: Provider) => Model;
  readonly outlet: Outlet | undefined;
}

/** What the model is computed by. Only a card that a person names is tried; `auto` goes by what is known. */
export async function deviceFor({ hash }: Model, choosing: Choosing): Promise<DeviceUse> {
  const { asked, lost, again, cache } = choosing;
  if (asked === 'cpu') return useOf(asked, []);
  const subjectOf = (card: Card) => subjectFor(hash, card);
  const kept = (card: Card) =>
    wasTried(cache, { card, model: hash }) ? keptOutcome(cache, subjectOf(card)) : undefined;
  const known = (card: Card) => (lost?.card === card ? lost.outcome : kept(card));
  const told = (cards: readonly Card[]) =>
    cards.flatMap((card): Tried[] => {
      const outcome = known(card);
      return outcome ? [{ card, outcome }] : [];
    });
  if (asked !== 'auto' && lost === undefined && (again || known(asked) === undefined)) {
    const outcome = await trial(choosing, subjectOf(asked));
    keepOutcome(cache, subjectOf(asked), outcome);
    return useOf(asked, [{ card: asked, outcome }]);
  }
  return useOf(asked, told(asked === 'auto' ? cardsOn() : [asked]));
}

const versions = `${ganderVersion} ${onnxruntimeVersion}`;

/** What an outcome for this model and card depends on. */
export const subjectFor = (model: string, card: Card): Subject => ({ card, model, versions, driver: driverOf() });

async function trial({ open, outlet, chunk }: Choosing, subject: Subject): Promise<Outcome> {
  const own = await measured(open('cpu'), chunk);
  // From here on the process may hang or die.
  await outlet?.device({ on: subject });
  try {
    const card = await measured(open(subject.card), chunk);
    const found = compared(own.trace, card.trace);
    if ('differs' in found) return { result: 'differs', why: found.differs };
    return { result: 'agrees', speed: own.ms / card.ms, tokens: own.tokens, difference: found.difference };
  } catch (error) {
    return { result: 'failed', why: reasonOf(error) };
  }
}

interface Measured {
  readonly trace: Trace;
  readonly tokens: number;
  /** Of a second run: the first also compiles what a card runs. */
  readonly ms: number;
}

async function measured(model: Model, chunk: number): Promise<Measured> {
  try {
    const request = await requestFor(model);
    const run = () =>
      answersOf(model, chunk, new Stopped()).route!(request, { check: async () => {} }) as Promise<Trace>;
    await run();
    const start = performance.now();
    const trace = await run();
    const ms = performance.now() - start;
    return { trace, ms, tokens: trace.sequences.reduce((sum, { done }) => sum + done, 0) };
  } finally {
    await model.release();
  }
}

async function requestFor(model: Model): Promise<RouteRequest> {
  const { end } = await model.tokenizer.encode(passage);
  const most = Math.min(mostTokens, Math.floor(model.contextLength / 2), end.length);
  const text = passage.slice(0, end[Math.max(0, most - 1)]);
  return { text, ...strategyFor(await model.info()), ...(model.startToken !== undefined && { target: text }) };
}

/** The usual way of the model. */
function strategyFor(info: ModelInfo): Pick<RouteRequest, 'strategy'> {
  if (info.kind !== 'pool') return {};
  const { strategies, topK, experts } = info;
  return { strategy: strategyOf(usualStrategy(strategies), { k: topK, expert: experts[0]?.id ?? '' }) };
}
