/** The trace file that `npm run page` was given (scripts/page.mjs). */
declare module 'opened-trace' {
  export const name: string;
  export const url: string;
}
