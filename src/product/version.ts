/** Gander's own version, as package.json has it (test/unit/pool/version.test.ts holds them together). */
export const ganderVersion = '0.1.0';
