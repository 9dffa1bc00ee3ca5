/** A worker's code as text (esbuild.mjs). */
declare module '*?worker' {
  const text: string;
  export default text;
}
