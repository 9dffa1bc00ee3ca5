import { listen, type Listening } from '../test/servers/http.js';
import type { Outcome } from './case.js';
import type { Random } from './random.js';
import type { ReaderRunner } from './readerRunner.js';
import type { ServerTarget } from './targets/target.js';
import type { Workspace } from './workspace.js';

/** Has an unguarded child ask a server that is made for the case. If the child ends, or asks another server, that is a fault. */
export class ServerRunner {
  #elsewhere: Promise<Listening> | undefined;

  constructor(
    private readonly target: ServerTarget,
    private readonly workspace: Workspace,
    private readonly reader: ReaderRunner,
  ) {}

  async run(random: Random): Promise<Outcome & { readonly how: string }> {
    const elsewhere = await (this.#elsewhere ??= listen((_, response) => response.end()));
    const before = elsewhere.asked.length;
    const { how, handle, asking } = this.target.answer(this.workspace.folder, random, elsewhere.address);
    const server = await listen(handle);
    try {
      const outcome = await this.reader.run({ server: { ...asking, address: server.address } });
      const sent = elsewhere.asked.length - before;
      return {
        how: how(),
        ...outcome,
        problems: [...outcome.problems, ...(sent > 0 ? ['another server was asked'] : [])],
      };
    } finally {
      await server.close();
    }
  }

  close(): void {
    this.reader.close();
    void this.#elsewhere?.then((one) => one.close());
  }
}
