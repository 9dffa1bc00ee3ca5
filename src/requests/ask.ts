/** Requests by name: who can be asked, and who answers. */
import type { OptionsOf as CallOptionsOf } from '../channel/messages.js';
import type { Requests } from './schemas.js';
import { type RequestName, requestNames } from './table.js';

export type RequestOf<N extends RequestName> = Requests[N]['request'];
export type ResultOf<N extends RequestName> = Requests[N]['result'];
export type OptionsOf<N extends RequestName> = CallOptionsOf<Requests[N]>;

/** A method for each request. All reject with a GanderError: `cancelled` if the signal fires. */
export type Methods = {
  [N in RequestName]: undefined extends RequestOf<N>
    ? (request?: RequestOf<N>, options?: OptionsOf<N>) => Promise<ResultOf<N>>
    : (request: RequestOf<N>, options?: OptionsOf<N>) => Promise<ResultOf<N>>;
};

/** Answers some of the requests. */
export type Handlers = {
  readonly [N in RequestName]?: (request: RequestOf<N>, options: OptionsOf<N>) => Promise<ResultOf<N>>;
};

/** The handlers' answer; undefined if they have none for this request. */
export function answerOf<N extends RequestName>(
  handlers: Handlers,
  name: N,
  request: RequestOf<N>,
  options: OptionsOf<N>,
): Promise<ResultOf<N>> | undefined {
  const handler = handlers[name] as ((request: unknown, options: unknown) => Promise<ResultOf<N>>) | undefined;
  return handler?.call(handlers, request, options);
}

interface Asked {
  ask<N extends RequestName>(name: N, request: RequestOf<N>, options?: OptionsOf<N>): Promise<ResultOf<N>>;
}

/** Its methods are generated from the table. */
const ByName = function () {} as unknown as { new (): Methods; readonly prototype: Methods };

for (const name of requestNames) {
  Object.defineProperty(ByName.prototype, name, {
    configurable: true,
    writable: true,
    value(this: Asked, request: never, options?: never) {
      return this.ask(name, request, options);
    },
  });
}

/** A class that has `ask` gets a method for each request by extending this. */
export const Askable: abstract new () => Methods = ByName;

/** Whatever runs a model: the forked child, the engine in this process, or a server. */
export interface Engine extends Asked, Methods {
  dispose(): void;
}
