/** How a text is parted, and what is said of a part: few look at one. */
import { late } from '../store/late.js';

export const parts = late(() => import('./parts.js'));
