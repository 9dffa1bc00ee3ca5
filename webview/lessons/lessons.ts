/** What comes when it is first asked for, as one file. */
export { Explanation } from './explanation.js';
export { Tour } from './tour.js';
