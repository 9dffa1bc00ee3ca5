export { scopeOf } from '../../src/trace/scopes.js';
export { itemsOf, scopeName } from './names.js';
export { ScopeSummary } from './summary.js';
