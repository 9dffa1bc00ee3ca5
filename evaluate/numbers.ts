/** How numbers stand in the report and its pictures. */

export const count = (n: number) => n.toLocaleString('en-US');

/** In English, as the report is. */
export const counted = (n: number, what: string) => `${count(n)} ${what}${n === 1 ? '' : 's'}`;

export const signed = (value: number, digits = 4) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;

/** Without the sign, for where there is no room. */
export const percentage = (share: number) => (100 * share).toFixed(share < 0.0995 ? 1 : 0);
