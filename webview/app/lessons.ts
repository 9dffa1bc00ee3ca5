/** What comes when it is first asked for, as one file. */
export { Explanation } from '../lessons/explanation.js';
export { Tour } from '../tour/tour.js';
