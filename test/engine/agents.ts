/** An agent for tests: a client of the Model Context Protocol, and the process that it speaks with. */
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { builtCli, root } from './support.js';

export const shipped = {
  pool: path.join(root, 'models/smollm2-135m'),
  mixture: path.join(root, 'models/gosling-moe'),
  atlases: ['smollm2-135m', 'gosling-moe'].map((name) => path.join(root, `atlases/${name}.gander-atlas`)),
};

/** The options with which a checkout's build offers what ships: it finds that by itself only in its own folder. */
export const withShipped = [
  ...['--pool', shipped.pool, '--with-engine', shipped.mixture],
  ...shipped.atlases.flatMap((atlas) => ['--atlas', atlas]),
];

export interface Answer {
  readonly text: string;
  readonly failed: boolean;
  readonly progress: readonly Progress[];
}

export interface Asking {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** A cold cache may have to be filled, on a busy machine. Milliseconds. */
const patience = 280_000;

export class Agent {
  readonly errors: Error[] = [];

  private constructor(
    readonly client: Client,
    readonly transport: StdioClientTransport,
  ) {
    // What is not a message of the protocol on stdout ends up here, and so does progress that crossed a cancellation, as it may.
    client.onerror = (error) => {
      if (!error.message.startsWith('Received a progress notification for an unknown token')) this.errors.push(error);
    };
  }

  static async start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Agent> {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [builtCli(), 'mcp', ...args],
      cwd: root,
      env: { ...(process.env as Record<string, string>), ...env },
      stderr: 'pipe',
    });
    const agent = new Agent(new Client({ name: 'test', version: '1' }), transport);
    await agent.client.connect(transport);
    return agent;
  }

  /** For one test. */
  static async forTest(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Agent> {
    const agent = await Agent.start(args, env);
    onTestFinished(() => agent.close());
    return agent;
  }

  async ask(name: string, args: object = {}, { signal, onProgress }: Asking = {}): Promise<Answer> {
    const progress: Progress[] = [];
    const { content, isError } = await this.client.callTool({ name, arguments: { ...args } }, undefined, {
      timeout: patience,
      ...(signal && { signal }),
      onprogress: (one) => {
        progress.push(one);
        onProgress?.(one);
      },
    });
    const [first] = content as readonly { readonly text: string }[];
    return { text: first!.text, failed: isError === true, progress };
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** The cells of the rows of an answer's table whose head begins so. */
export function rowsIn(text: string, head: string): string[][] {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  if (at < 0) return [];
  const rows = lines.slice(at + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return (end < 0 ? rows : rows.slice(0, end)).map((line) =>
    line
      .slice(2, -2)
      .split(/(?<!\\) \| /)
      .map((cell) => cell.trim()),
  );
}
