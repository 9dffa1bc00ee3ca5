/**
 * Every request that a model may be asked, a row each. Who passes requests on, says what a source can do or refuses derives it from
 * here. What each asks and answers is in `api.ts`, what may be asked in `schemas.ts`.
 */
interface Row {
  /** Asked of a run of a text: of the one on show, the page may ask it. */
  readonly isOfRun?: true;
  /** A trace crosses in pieces, and so does what is known of it before the end. */
  readonly gives: 'trace' | 'data';
  /** Who asks the same again gets what is known already. */
  readonly isKept?: true;
  /** Said where it cannot be asked, unless the source has words of its own. Without any: whatever is asked at all answers it. */
  readonly absent?: { readonly reason: string; readonly remedy: string };
}

const useOther = 'Use a model on this machine, or gander-serve.';

export const requests = {
  info: { gives: 'data' },
  route: {
    isOfRun: true,
    gives: 'trace',
    isKept: true,
    absent: { reason: 'Nothing can be routed here.', remedy: useOther },
  },
  generate: {
    isOfRun: true,
    gives: 'trace',
    absent: { reason: 'Nothing can be written here.', remedy: useOther },
  },
  attribute: {
    isOfRun: true,
    gives: 'data',
    isKept: true,
    absent: { reason: 'Experts cannot be left out here.', remedy: useOther },
  },
  score: {
    isOfRun: true,
    gives: 'data',
    absent: { reason: 'Gander does not score texts on this server.', remedy: useOther },
  },
  lens: {
    isOfRun: true,
    gives: 'data',
    isKept: true,
    absent: {
      reason: 'The server gives no predictions of the layers between.',
      remedy: 'Use a model on this machine.',
    },
  },
  similarity: {
    gives: 'data',
    absent: {
      reason: 'The experts of a mixture are no adapters with gates: they are not compared.',
      remedy: 'Choose a pool of experts.',
    },
  },
  examine: {
    gives: 'data',
    absent: { reason: 'This model takes no more experts.', remedy: 'Choose a pool of experts.' },
  },
} as const satisfies Readonly<Record<string, Row>>;

export type RequestName = keyof typeof requests;

export const requestNames = Object.keys(requests) as readonly RequestName[];

/** Those that a source may lack. */
export type RefusableName = {
  [N in RequestName]: (typeof requests)[N] extends { readonly absent: object } ? N : never;
}[RequestName];

/** Those that are asked of a run. */
export type RunRequestName = {
  [N in RequestName]: (typeof requests)[N] extends { readonly isOfRun: true } ? N : never;
}[RequestName];

export const runRequestNames = requestNames.filter((name): name is RunRequestName => rowOf(name).isOfRun === true);

/** Of any request, with what it may lack. */
export function rowOf(name: RequestName): Row {
  return requests[name];
}
