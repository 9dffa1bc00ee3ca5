/** Gander's version, the same as in package.json (test/unit/pool/pool.test.ts checks). */
export const ganderVersion = '0.2.0';
