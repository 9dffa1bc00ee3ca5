/** Formats numbers in a language; each format is created only once, as a page has thousands of numbers. */
export class Numbers {
  readonly #formats = new Map<string, Intl.NumberFormat>();

  /** @param language a BCP 47 tag */
  constructor(readonly language: string) {}

  /** 0.234 → `23%`; small shares keep two digits, so that nothing above 0 reads as 0, and nothing below 1 as all. `–` if unknown. */
  percent(share: number): string {
    if (!Number.isFinite(share)) return '–';
    const least = 0.0001;
    if (share > 0 && share < least) return `<${this.#write(least, { style: 'percent', maximumSignificantDigits: 1 })}`;
    const size = Math.abs(share);
    if (size > 0 && size < 0.0995)
      return this.#write(share, { style: 'percent', minimumSignificantDigits: 2, maximumSignificantDigits: 2 });
    // What is nearer to all than this may be a sum that rounding left short of it.
    const isAlmostAll = size > 0.99 && size < 1 - 1e-6;
    if (isAlmostAll && size >= 0.9995) return `${share > 0 ? '>' : '<'}${this.#tenths(Math.sign(share) * 0.999)}`;
    return isAlmostAll ? this.#tenths(share) : this.#write(share, { style: 'percent', maximumFractionDigits: 0 });
  }

  /** With a fixed number of digits after the point; `–` if unknown. */
  fixed(value: number, digits = 2): string {
    if (!Number.isFinite(value)) return '–';
    return this.#write(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  /** Like `fixed`, with a plus sign above zero. */
  signed(value: number, digits = 2): string {
    const text = this.fixed(value, digits);
    return value > 0 && text !== this.fixed(0, digits) ? `+${text}` : text;
  }

  /** 12,345 */
  whole(value: number): string {
    return this.#write(value, { maximumFractionDigits: 0 });
  }

  #tenths(share: number): string {
    return this.#write(share, { style: 'percent', maximumFractionDigits: 1 });
  }

  #write(value: number, options: Intl.NumberFormatOptions): string {
    const key = JSON.stringify(options);
    let format = this.#formats.get(key);
    // A number that rounds to zero has no sign.
    if (!format)
      this.#formats.set(key, (format = new Intl.NumberFormat(this.language, { ...options, signDisplay: 'negative' })));
    return format.format(value).replace('-', '−');
  }
}
