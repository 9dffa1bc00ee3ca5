/** How numbers are written in the report and its pictures. */

export const count = (n: number) => n.toLocaleString('en-US');

/** A count with a noun, in English like the report. */
export const counted = (n: number, what: string) => `${count(n)} ${what}${n === 1 ? '' : 's'}`;

export const signed = (value: number, digits = 4) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;

/** A percentage without the sign, for where there is no room for it. */
export const percentage = (share: number) => (100 * share).toFixed(share < 0.0995 ? 1 : 0);
