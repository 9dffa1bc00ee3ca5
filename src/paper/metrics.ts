/**
 * How wide text is at most, in the fonts that figures are written in: Helvetica, Arial and Arimo, whose letters all have the same
 * widths, or DejaVu Sans, which stands in for them on a machine that has none of the three.
 */

/** Of all text of a figure, in points. */
export const textSize = 8;

/** Thousandths of the size, for U+0020 to U+007E: the larger of Adobe's metrics of Helvetica and the advances of DejaVu Sans. */
const regular = [
  318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
  636, 636, 636, 337, 337, 838, 838, 838, 556, 1015, 684, 686, 722, 770, 667, 611, 778, 752, 295, 500, 667, 557, 863,
  748, 787, 667, 787, 722, 667, 611, 732, 684, 989, 685, 667, 685, 390, 337, 390, 838, 556, 500, 613, 635, 550, 635,
  615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
  337, 636, 838,
];
/** The same of both fonts' bold letters. */
const bold = [
  348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696, 696,
  696, 696, 696, 400, 400, 838, 838, 838, 611, 1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 556, 775, 637, 995,
  837, 850, 733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838, 556, 500, 675, 716, 593, 716,
  678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687, 716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712,
  365, 712, 838,
];

/** Other letters, by the first code point from which a width holds: estimated, those of symbols as wide as the widest of them. */
const others: readonly (readonly [from: number, wide: number])[] = [
  [0x2e80, 1000], // Chinese, Japanese, Korean
  [0x2070, 838], // arrows, mathematics, what stands for whitespace
  [0x2026, 1000], // an ellipsis, and rarer punctuation
  [0x2016, 520], // quotation marks
  [0x2014, 1000], // a long dash
  [0x2010, 500],
  [0x0370, 780], // Greek, Cyrillic, and what is between
  [0x00a0, 700],
];
const exceptions = new Map([
  ['×', 838],
  ['÷', 838],
  ['±', 838],
  ['·', 318],
  ['\u00a0', 318],
]);
/** Of other letters that are bold. */
const boldly = 1.12;

/** In points: as wide as the text may be in any of the fonts. */
export function widthOf(text: string, isBold = false): number {
  let sum = 0;
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    const known = (isBold ? bold : regular)[code - 32];
    sum +=
      known ?? (isBold ? boldly : 1) * (exceptions.get(letter) ?? others.find(([from]) => code >= from)?.[1] ?? 600);
  }
  return (sum * textSize) / 1000;
}
