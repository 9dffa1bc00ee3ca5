/** Loaded when the first PDF is asked for: dist/pdf.cjs. */
import type { Drawing } from '../paper/sheet.js';
import { arimo } from './fonts.js';
import { writePdf } from './write.js';

export const pdfOf = (drawing: Drawing): Promise<Uint8Array> => writePdf(drawing, arimo);
