import type { Counted } from './counted.js';

/**
 * The words of the dialog that saves a figure, and of the figures themselves. They load with it, as few people open it. They are
 * translated as the page's other words are; no key is in two tables.
 */
export const figureWords = {
  figureLook: 'Look',
  forPaper: 'For a paper',
  forPaperHint: 'White, 8 pt, with axis titles, whatever the theme is',
  asSeen: 'As seen',
  asSeenHint: 'In the colours of the editor’s theme',
  figureWidth: 'Width',
  millimetres: '{0} mm',
  figureSize: '{0} × {1} mm',
  figurePreview: 'The figure as it will be saved',
  captionTitle: 'Caption',
  copyCaption: 'Copy Caption',
  asPicture: 'Picture',
  asData: 'Data to draw it anew',
  figurePdf: 'PDF',
  pdfLacks: 'The PDF’s font lacks {0}: it would have question marks there. SVG and PNG have all letters.',
  figureSvg: 'SVG',
  figurePng: 'PNG',
  figurePngHint: '300 dots per inch',
  figureCsv: 'CSV',
  vega: 'Vega-Lite',
  vegaHint: 'A chart with its data, for the Vega editor, Altair and others',
  closeDialog: 'Close',
  nothingThere: 'There is nothing to draw yet.',

  // In figures and captions
  ofModel: 'model: {0}',
  byStrategy: 'strategy: {0}',
  byExpert: 'expert: {0}',
  withWhatIf: 'what if: {0}',
  cosine: 'Cosine',
  smaller: 'smaller',
  larger: 'larger',
  lessLikely: 'less likely in the other run',
  likelier: 'likelier in the other run',
  logProbChange: 'Change of log-probability',
  orMore: '{0} or more',
  shareOfLine: 'Share of the line',
  meanOfLine: '{0}, line mean',
  writtenFrom: 'from here on written by the model',
  writtenWithin: 'from within this line on written by the model',
  ofWhatIf: 'what-if',
  dashedLine: 'Dashed line: {0}',
  shareOfTokens: 'Share of the line’s tokens',
} as const satisfies Record<string, string | Counted>;
