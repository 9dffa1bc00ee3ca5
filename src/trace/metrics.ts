/** All metrics of a trace, each a pure function with what chance would give beside it (design: routing.md, "Metrics"). */
export * from './access.js';
export * from './align.js';
export * from './bootstrap.js';
export * from './difference.js';
export * from './distribution.js';
export * from './leaders.js';
export * from './overlap.js';
export * from './selection.js';
export * from './specialisation.js';
export * from './usage.js';
