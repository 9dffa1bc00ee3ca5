import type { Command, Options } from '../command.js';
import { reachOf } from '../mcp/reach.js';
import { anyEngineOptions } from '../options.js';

const options = {
  folder: {
    type: 'string',
    short: 'f',
    multiple: true,
    value: 'folder',
    help: 'agents may read text files in it; repeatable',
  },
  'with-engine': {
    type: 'string',
    multiple: true,
    value: 'address|folder',
    help: 'offer this one, too: a server (GANDER_WITH_ENGINE_TOKEN is its token), a pool or a model; repeatable',
  },
  atlas: {
    type: 'string',
    multiple: true,
    value: 'folder',
    help: 'an atlas to describe experts from, beside those that ship; repeatable',
  },
} as const satisfies Options;

export const mcp: Command = {
  name: 'mcp',
  summary: 'offer models to agents: a server of the Model Context Protocol on stdin and stdout',
  usage: ['[--folder <folder>]…'],
  examples: [
    ['--folder .', 'the models that ship, and the texts of this folder'],
    ['--pool ~/pools/mine --atlas mine.gander-atlas', 'a pool of your own, with what its experts do'],
    ['--engine http://127.0.0.1:8000', 'a server; texts are sent there'],
  ],
  options: { ...options, ...anyEngineOptions },
  async run(context) {
    context.args.noPositionals();
    const reach = reachOf(context, __dirname);
    // Only this command needs the protocol.
    const { serve } = await import('../mcp/server.js');
    try {
      await serve(reach, context.signal);
    } finally {
      reach.dispose();
    }
  },
};
