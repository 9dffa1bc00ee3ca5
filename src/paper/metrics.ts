/** How wide text is in Helvetica, Arial and Arimo, whose letters all have the same widths. */

/** Of all text of a figure, in points. */
export const textSize = 8;

/** From Adobe's metrics of Helvetica: thousandths of the size, for U+0020 to U+007E. */
const ascii = [
  278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
  556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
  722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
  556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
  260, 334, 584,
];
const [other, wide] = [600, 1000];
/** Where none of the three fonts is installed, another that is a little wider takes their place. */
const spare = 1.12;

/** In points. Other letters are estimated: those of Chinese, Japanese and Korean are as wide as the text is high. */
export function widthOf(text: string): number {
  let sum = 0;
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    sum += ascii[code - 32] ?? (code >= 0x2e80 ? wide : other);
  }
  return (spare * sum * textSize) / 1000;
}
