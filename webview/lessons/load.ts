import { late } from '../app/late.js';

export const lessons = late(() => import('./lessons.js'));
