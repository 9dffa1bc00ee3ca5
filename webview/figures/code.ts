export { SaveFigure } from './dialog.js';
export { reportFigure } from './mapPlot.js';
