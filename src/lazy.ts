/** What activation does not need: dist/lazy.cjs, loaded by the first dynamic import. */
export * from './commands/features.js';
export * from './panel/messages.js';
export * from './trace/file/file.js';
export * from './requests/schemas.js';
export * from './import/index.js';
export * from './import/client.js';
export * from './atlas/client.js';
