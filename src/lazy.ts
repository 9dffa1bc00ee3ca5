/** What activation does without: dist/lazy.cjs, loaded by the first dynamic import. The validator is most of it. */
export * from './panel/messages.js';
export * from './trace/file.js';
export * from './source/asked.js';
export * from './import/index.js';
export * from './import/client.js';
