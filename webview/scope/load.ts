/** How a text is parted, and what is said of a part: few look at one. */
import { late } from '../store/late.js';

export const { code: parts, want } = late(() => import('./parts.js'));
