/** What fetches from the web: dist/web.cjs, loaded only when something is to be fetched. */
export * from './access.js';
export * from './hub.js';
