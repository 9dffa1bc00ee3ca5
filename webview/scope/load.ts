/** How a text is divided into parts, and what is said about one: loaded late, because few people look at one. */
import { late } from '../store/late.js';

export const parts = late(() => import('./parts.js'));
