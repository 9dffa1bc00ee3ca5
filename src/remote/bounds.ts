/** How much an answer can rightly hold, from what was asked: what is more is refused before it is read. */
import type { ServerInfo } from '../requests/api.js';
import type { Model } from '../import/model.js';
import { serverLimits, traceLimits } from '../checks/limits.js';

/** A request, as far as it says how long what is told can be. */
export interface Asked {
  readonly text: string;
  readonly target?: string | undefined;
  readonly maxTokens?: number | undefined;
}

/** Tokens that a tokenizer or a chat template may put around a text. */
const around = 64;

/** Tokens of a text at most: each covers a byte of it at least. */
export function textTokens(text: string): number {
  return Buffer.byteLength(text) + around;
}

/** Of all that was asked for: read and written. */
function tokensOf({ text, target = '', maxTokens = serverLimits.written }: Asked): number {
  return Math.min(textTokens(text) + Buffer.byteLength(target) + maxTokens, traceLimits.tokens);
}

/** Bytes of a trace: each number of each token at each site, twice over, and its header. */
export function traceBytes(asked: Asked, { sites = [], expertSets = [] }: ServerInfo): number {
  const cells = sites.reduce((sum, { expertSet }) => {
    const { experts = [], alwaysOn = [] } = expertSets[expertSet] ?? {};
    return sum + experts.length + alwaysOn.length;
  }, 0);
  return Math.min(traceLimits.header + tokensOf(asked) * (1024 + 32 * cells), traceLimits.bytes);
}

/** Bytes of an attribution or a score as JSON: a number for each token and expert. */
export function attributionBytes(asked: Asked, { expertSets = [] }: ServerInfo): number {
  const experts = expertSets.reduce((sum, set) => sum + set.experts.length, 0);
  return Math.min(serverLimits.facts + tokensOf(asked) * 32 * (1 + experts), serverLimits.run);
}

/** What vLLM and SGLang answer in JSON of so many tokens with so many predictions each. */
export interface Bounds {
  readonly most: number;
  readonly members: number;
}

/** @param tokens read and written */
export function choicesBounds(tokens: number, predictions: number, model: Model | undefined): Bounds {
  const choices = model?.layers !== undefined && model.k !== undefined ? model.layers * model.k : serverLimits.choices;
  const entries = tokens * (predictions + 2);
  return {
    // Each choice as a number in a list or eight bytes in base64; each entry with its token's spelling.
    most: Math.min(serverLimits.said + tokens * choices * 16 + entries * serverLimits.entry, serverLimits.run),
    // Four of an entry, and colons in spellings.
    members: serverLimits.members + entries * 16,
  };
}

/** Of the ids and places of a text’s tokens. */
export function placesBounds(text: string): Bounds {
  return { most: serverLimits.said + textTokens(text) * 64, members: serverLimits.members };
}

/** Whether one of what should be lists is longer. It is looked at before their entries are. */
export function hasLonger(lists: readonly unknown[], most: number): boolean {
  return lists.some((list) => Array.isArray(list) && list.length > most);
}
