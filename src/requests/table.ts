/**
 * Every request that a model may be asked, one row each. Code that passes requests on, refuses them or says what a source can do
 * derives it from here. `api.ts` has the types of requests and results, `schemas.ts` what may be asked.
 */
interface Row {
  /** It is about a run of a text: the page may ask it about the run on show. */
  readonly isOfRun?: true;
  /** A trace is sent in pieces, partial traces as well. */
  readonly gives: 'trace' | 'data';
  /** Whoever asks the same again gets the result that is known already. */
  readonly isKept?: true;
  /** What is said if it cannot be asked, unless the source has words of its own. Absent: every source answers it. */
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
      reason: 'The server does not give predictions of intermediate layers.',
      remedy: 'Use a model on this machine.',
    },
  },
  similarity: {
    gives: 'data',
    absent: {
      reason: 'The experts of a mixture are not adapters with gates, so they are not compared.',
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

/** Requests that a source may lack. */
export type RefusableName = {
  [N in RequestName]: (typeof requests)[N] extends { readonly absent: object } ? N : never;
}[RequestName];

/** Requests about a run. */
export type RunRequestName = {
  [N in RequestName]: (typeof requests)[N] extends { readonly isOfRun: true } ? N : never;
}[RequestName];

export const runRequestNames = requestNames.filter((name): name is RunRequestName => rowOf(name).isOfRun === true);

/** The row of any request, typed with what it may lack. */
export function rowOf(name: RequestName): Row {
  return requests[name];
}
