/** esbuild puts the file's bytes into the bundle. */
declare module '*.woff' {
  const bytes: Uint8Array;
  export default bytes;
}
