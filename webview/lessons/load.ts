import { late } from '../store/late.js';

export const lessons = late(() => import('../app/lessons.js'));
