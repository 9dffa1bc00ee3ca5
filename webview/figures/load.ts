/** Drawing figures to save them: loaded late, because few people save one. */
import { lazy } from '../store/lazy.js';

export const figureCode = lazy(() => import('./code.js'));
