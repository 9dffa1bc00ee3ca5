/** How a text is divided into parts, and what is said about one: loaded late, because few people look at one. */
import { lazy } from '../store/lazy.js';

export const scopeCode = lazy(() => import('./code.js'));
