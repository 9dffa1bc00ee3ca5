export { SaveFigure } from './saveFigure.js';
export { reportFigure } from './mapPlot.js';
