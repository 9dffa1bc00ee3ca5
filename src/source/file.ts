import type { SideState } from '../protocol/panel.js';
import { abilities, type SourceDescription } from '../requests/description.js';
import { strategyOfRouter } from '../strategies/index.js';
import type { Trace } from '../trace/model/trace.js';
import type { Source } from './source.js';

export const traceEnding = '.gander.safetensors';

const never = { reason: 'This is a trace file: nothing can be run in it.' };

/** A trace file: shown, never run. */
export class FileSource implements Source {
  constructor(private readonly name: string) {}

  describe(): Promise<SourceDescription> {
    return Promise.resolve({
      name: this.name,
      can: { ...abilities({}, never), strategies: [] },
      experts: [],
      limits: {},
      warnings: [],
    });
  }

  dispose(): void {}
}

/** A side of the panel that shows a trace file. */
export function sideOfFile(name: string, trace: Trace): SideState {
  const { router, interventions } = trace;
  return { title: name, strategy: strategyOfRouter(router), interventions, trace, stale: false };
}
