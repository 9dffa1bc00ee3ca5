import { textTokens, type TextTokens, type Tokenizer } from './tokenizer.js';

/** How many tokens may be unsettled before settling is tried, and after how many more it is tried again. */
const enough = 48;
const oftener = 5;

/** From this many unsettled tokens on, weaker evidence settles a place: a text may be nothing but broken characters or bytes. */
const long = 256;

/** Tokens on either side of a settled place that are compared: no character and no rule of spacing reaches farther. */
const reach = 8;

/** How many places are tried at a time. */
const tries = 12;

/** In bytes of UTF-8. */
const longestCharacter = 4;

/**
 * What a model writes, token by token: the text as if all tokens were decoded together, and where each token is in it.
 *
 * Only the last few tokens are decoded each time. A token may end inside a character, so text is settled only at a place where
 * the tokens before and after it decode to the same together as separately. What a tokenizer does at a text's start (dropping
 * a space, capitalising) does not show there, because decoding begins a few tokens before the place.
 */
export class Continuation {
  readonly #tokenizer: Pick<Tokenizer, 'decode' | 'readable' | 'isByte'>;
  readonly #ids: number[] = [];
  /** For each token, whether it left the text unchanged, and not because the character that it is a part of is not whole yet. */
  readonly #silent: boolean[] = [];
  /** For each settled token, how far the text decoded up to it agrees with the final text. */
  readonly #reached: number[] = [];
  #settled = '';
  /** Where decoding begins, and how much of its result is settled. */
  #from = 0;
  #skip = 0;
  /** For each unsettled token, the text decoded up to it, without the settled text. */
  #tails: string[] = [];
  #tryAt = enough;

  constructor(tokenizer: Pick<Tokenizer, 'decode' | 'readable' | 'isByte'>) {
    this.#tokenizer = tokenizer;
  }

  get text(): string {
    return this.#settled + this.#tail;
  }

  async add(id: number): Promise<void> {
    const before = this.#tail;
    this.#ids.push(id);
    const tail = (await this.#tokenizer.decode(this.#ids.slice(this.#from))).slice(this.#skip);
    this.#tails.push(tail);
    this.#silent.push(tail === before && !(isBroken(tail) && (await this.#tokenizer.decode([id])) !== ''));
    if (this.#tails.length >= this.#tryAt) await this.#settle();
  }

  /** Offsets in UTF-16 units of the text: tokens that share a character each cover all of it; −1 for tokens without text. */
  tokens(): TextTokens {
    const reached = [...this.#reached, ...this.#tails.map((tail) => this.#settled.length + common(tail, this.#tail))];
    const ids = Int32Array.from(this.#ids);
    const text = this.#ids.map((id) => this.#tokenizer.readable(id));
    return textTokens({ ids, ...offsets(reached, this.#silent), text });
  }

  get #tail(): string {
    return this.#tails.at(-1) ?? '';
  }

  async #settle(): Promise<void> {
    const last = this.#tails.length - reach;
    for (let count = last; count > reach && count > last - tries; count--) {
      const lead = await this.#leadAt(count);
      if (lead === undefined) continue;
      this.#settleFirst(count, lead);
      this.#tryAt = enough;
      return;
    }
    this.#tryAt = this.#tails.length + oftener;
  }

  /**
   * Whether the text of the first `count` unsettled tokens is final, whatever follows.
   *
   * @returns if it is, what the last of these tokens decode to by themselves
   */
  async #leadAt(count: number): Promise<string | undefined> {
    const at = this.#reached.length + count;
    const text = this.#tails[count - 1]!;
    if (!this.#mayEnd(text, at)) return undefined;
    const lead = await this.#tokenizer.decode(this.#ids.slice(at - reach, at));
    const all = await this.#tokenizer.decode(this.#ids.slice(at - reach));
    const isSame = all.startsWith(lead) && text + all.slice(lead.length) === this.#tail;
    return isSame ? lead : undefined;
  }

  /**
   * A place must not be inside a character, nor among byte tokens, which are decoded together: one wrong byte spoils all. Among
   * many it is enough that they are valid so far, or that nothing can make them valid any more.
   */
  #mayEnd(text: string, at: number): boolean {
    const isLong = this.#tails.length >= long;
    if (isBroken(text)) return isLong && this.#tails.slice(-longestCharacter).every(isBroken);
    return isLong || !(this.#tokenizer.isByte(this.#ids[at - 1]!) && this.#tokenizer.isByte(this.#ids[at]!));
  }

  #settleFirst(count: number, lead: string): void {
    const text = this.#tails[count - 1]!;
    for (const tail of this.#tails.slice(0, count)) this.#reached.push(this.#settled.length + common(tail, this.#tail));
    this.#settled += text;
    this.#from = this.#reached.length - reach;
    this.#skip = lead.length;
    this.#tails = this.#tails.slice(count).map((tail) => (tail.startsWith(text) ? tail.slice(text.length) : ''));
  }
}

/** Whether it ends with bytes that are not a character, or not yet. */
function isBroken(text: string): boolean {
  return text.endsWith('\ufffd');
}

/** @param reached for each token, how far the text decoded up to it agrees with the whole text */
function offsets(
  reached: readonly number[],
  silent: readonly boolean[],
): { readonly start: Int32Array; readonly end: Int32Array } {
  const start = new Int32Array(reached.length).fill(-1);
  const end = new Int32Array(reached.length).fill(-1);
  // How far the tokens from here on reach, without those that reach no farther than an earlier one; the nearest is last.
  const farther: number[] = [];
  for (let i = reached.length - 1; i >= 0; i--) {
    const from = i === 0 ? 0 : reached[i - 1]!;
    farther.push(reached[i]!);
    while (farther.length > 0 && farther.at(-1)! <= from) farther.pop();
    const to = farther.at(-1);
    if (silent[i] || to === undefined) continue;
    start[i] = from;
    end[i] = to;
  }
  return { start, end };
}

/** The length of two texts' common beginning; never ends between the halves of a surrogate pair. */
function common(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  const code = length > 0 && length < b.length ? b.charCodeAt(length - 1) : 0;
  return code >= 0xd800 && code <= 0xdbff ? length - 1 : length;
}
