/** How large an answer to a request can be; a larger one is refused before it is read. */
import type { ServerInfo } from '../requests/api.js';
import type { Model } from '../import/model.js';
import { serverLimits, traceLimits } from '../checks/limits.js';

/** The fields of a request that limit how long its answer can be. */
export interface Asked {
  readonly text: string;
  readonly target?: string | undefined;
  readonly maxTokens?: number | undefined;
}

/** Tokens that a tokenizer or a chat template may add around a text. */
const around = 64;

/** The most tokens that a text can have: each covers at least one byte. */
export function textTokens(text: string): number {
  return Buffer.byteLength(text) + around;
}

/** The most tokens that a run can have, read and written. */
function tokensOf({ text, target = '', maxTokens = serverLimits.written }: Asked): number {
  return Math.min(textTokens(text) + Buffer.byteLength(target) + maxTokens, traceLimits.tokens);
}

/** The most bytes of a trace: its header, and twice the bytes of each number of each token at each module. */
export function traceBytes(asked: Asked, { modules = [], expertSets = [] }: ServerInfo): number {
  const cells = modules.reduce((sum, { expertSet }) => {
    const { experts = [], sharedExperts = [] } = expertSets[expertSet] ?? {};
    return sum + experts.length + sharedExperts.length;
  }, 0);
  return Math.min(traceLimits.header + tokensOf(asked) * (1024 + 32 * cells), traceLimits.bytes);
}

/** The most bytes of an attribution or a score as JSON: a number for each token and expert. */
export function attributionBytes(asked: Asked, { expertSets = [] }: ServerInfo): number {
  const experts = expertSets.reduce((sum, set) => sum + set.experts.length, 0);
  return Math.min(serverLimits.facts + tokensOf(asked) * 32 * (1 + experts), serverLimits.run);
}

/** Limits of a JSON answer. */
export interface Bounds {
  /** Bytes. */
  readonly most: number;
  /** Members of all objects together. */
  readonly members: number;
}

/** Limits of an answer of vLLM or SGLang. @param tokens read and written @param predictions per token */
export function choicesBounds(tokens: number, predictions: number, model: Model | undefined): Bounds {
  const choices = model?.layers !== undefined && model.k !== undefined ? model.layers * model.k : serverLimits.choices;
  const entries = tokens * (predictions + 2);
  return {
    // A choice is a number in a list, or eight bytes in base64; an entry contains its token's spelling.
    most: Math.min(serverLimits.said + tokens * choices * 16 + entries * serverLimits.entry, serverLimits.run),
    // An entry has four. They are counted by their colons, which spellings may contain too.
    members: serverLimits.members + entries * 16,
  };
}

/** Limits of an answer with the ids and places of a text’s tokens. */
export function placesBounds(text: string): Bounds {
  return { most: serverLimits.said + textTokens(text) * 64, members: serverLimits.members };
}

/** Whether any of these, which should be lists, is too long. Checked before their entries are. */
export function hasLonger(lists: readonly unknown[], most: number): boolean {
  return lists.some((list) => Array.isArray(list) && list.length > most);
}
