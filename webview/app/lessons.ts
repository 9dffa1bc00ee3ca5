/** These come as one file, loaded when it is first needed. */
export { Explanation } from '../lessons/explanation.js';
export { Tour } from '../tour/tour.js';
