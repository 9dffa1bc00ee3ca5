import { lessonWords } from '../../src/shared/lessonWords.js';
import { sayer } from '../look/strings.js';

export const say = sayer(lessonWords);
