export { itemsOf, scopeName } from './names.js';
export { scopeOf } from './regions.js';
export { ScopeSummary } from './summary.js';
