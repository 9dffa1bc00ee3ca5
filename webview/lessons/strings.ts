import { lessonWords } from '../../src/words/lessonWords.js';
import { sayer } from '../look/strings.js';

export const say = sayer(lessonWords);
