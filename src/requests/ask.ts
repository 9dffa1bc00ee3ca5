/** Requests by their names: who can be asked, and who answers. */
import type { OptionsOf as CallOptionsOf } from '../channel/messages.js';
import type { Requests } from './schemas.js';
import { type RequestName, requestNames } from './table.js';

export type RequestOf<N extends RequestName> = Requests[N]['request'];
export type ResultOf<N extends RequestName> = Requests[N]['result'];
export type OptionsOf<N extends RequestName> = CallOptionsOf<Requests[N]>;

/** A method for each request. All reject with a GanderError; `cancelled` when the signal fired. */
export type Methods = {
  [N in RequestName]: undefined extends RequestOf<N>
    ? (request?: RequestOf<N>, options?: OptionsOf<N>) => Promise<ResultOf<N>>
    : (request: RequestOf<N>, options?: OptionsOf<N>) => Promise<ResultOf<N>>;
};

/** What answers some of them. */
export type Handlers = {
  readonly [N in RequestName]?: (request: RequestOf<N>, options: OptionsOf<N>) => Promise<ResultOf<N>>;
};

/** The answer of who has one; undefined: it has none. */
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

/** Its methods are made of the table. */
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

/** Whoever answers `ask`, by the name of a request, has a method for each with this. */
export const Askable: abstract new () => Methods = ByName;

/** Who runs a model: the forked child, the engine in this process, or a server. */
export interface Engine extends Asked, Methods {
  dispose(): void;
}
