/** The tools over the Model Context Protocol. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import { ganderVersion } from '../../product/version.js';
import { failure } from '../../tools/errors.js';
import { tools } from '../../tools/index.js';
import type { Reach } from '../../tools/reach.js';
import type { Call, Tool } from '../../tools/tool.js';

const instructions =
  'Gander runs routed language models and shows which experts each token was sent to. Begin with list_models; route_text gives a run a number, which explain_token, compare_runs and knock_out_expert take.';

/** Answers on stdin and stdout until stdin ends or the signal fires. */
export async function serve(reach: Reach, signal: AbortSignal): Promise<void> {
  const offered = tools.filter(({ needsEditor }) => !needsEditor || reach.open !== undefined);
  // For its advanced use: our tools check their parameters themselves, with words for an agent.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const server = new Server(
    { name: 'gander', title: 'Gander', version: ganderVersion },
    { capabilities: { tools: {} }, instructions },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: offered.map((tool) => described(tool, reach)) }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = offered.find(({ name }) => name === params.name);
    if (!tool) return failed(`There is no tool ${params.name}. Tools: ${offered.map(({ name }) => name).join(', ')}.`);
    try {
      return said(await tool.call(params.arguments, reach, callOf(extra)));
    } catch (thrown) {
      return failed(failure(thrown));
    }
  });
  const ended = new Promise<void>((resolve) => {
    server.onclose = resolve;
    const close = () => void server.close();
    process.stdin.once('end', close);
    signal.addEventListener('abort', close, { once: true });
  });
  await server.connect(new StdioServerTransport());
  await ended;
}

function described({ name, title, description, inputSchema, sendsText }: Tool, reach: Reach) {
  const leaves = sendsText === true && reach.models().some(({ address }) => address !== undefined);
  return { name, title, description, inputSchema, annotations: { title, readOnlyHint: true, openWorldHint: leaves } };
}

const said = (text: string): CallToolResult => ({ content: [{ type: 'text', text }] });

const failed = (text: string): CallToolResult => ({ ...said(text), isError: true });

/** Progress goes only to a client that asked for it and still waits, and only forward. */
function callOf({ signal, _meta, sendNotification }: RequestHandlerExtra<ServerRequest, ServerNotification>): Call {
  const progressToken = _meta?.progressToken;
  let last = -1;
  return {
    signal,
    progress(progress, total, message) {
      if (signal.aborted || progressToken === undefined || progress <= last) return;
      last = progress;
      const params = { progressToken, progress, message, ...(total !== undefined && { total }) };
      // The client may be gone; the call is then cancelled anyway.
      sendNotification({ method: 'notifications/progress', params }).catch(() => undefined);
    },
  };
}
