/** What each of Arimo's files has, as far as figures may need it: @fontsource/arimo/unicode.json. */
export const letters = {
  latin: /[ -~\u00a0-\u00ff\u0131\u0152\u0153\u02c6\u02dc\u2010-\u2027\u2030-\u205e\u20ac\u2122\u2191\u2193\u2212]/,
  latinExt: /[\u0100-\u02ba\u02bd-\u02ff\u1e00-\u1eff\u20a0-\u20c0\u2113]/,
  greek: /[\u0370-\u0377\u037a-\u037f\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ff]/,
  cyrillic: /[\u0400-\u045f\u0490\u0491\u2116]/,
} as const;
