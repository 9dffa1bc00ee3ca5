import { figureWords } from '../../src/words/figureWords.js';
import { sayer } from '../look/strings.js';

export const say = sayer(figureWords);
