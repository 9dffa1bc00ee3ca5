/** A drawing as SVG: its text is text, in real fonts. */
import { escapeHtml } from '../formats/html.js';
import { shown } from '../trace/text/label.js';
import { textSize } from './metrics.js';
import { type Drawing, type Mark, perMm } from './sheet.js';

export function svgOf({ title, width, height, background, marks }: Drawing): string {
  const mm = (points: number) => `${round(points / perMm)}mm`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${mm(width)}" height="${mm(height)}"`,
    ` viewBox="0 0 ${round(width)} ${round(height)}" role="img" font-size="${textSize}"`,
    ` font-family="Helvetica, Arial, Arimo, 'Liberation Sans', sans-serif">\n`,
    `<title>${safe(title)}</title>\n`,
    `<rect width="100%" height="100%" fill="${background}"/>\n`,
    ...marks.map(written),
    '</svg>\n',
  ].join('');
}

function written(mark: Mark): string {
  switch (mark.is) {
    case 'rect': {
      const { x, y, width, height, fill, title } = mark;
      const box = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"`;
      // Without smoothing, so that no seams show between neighbours.
      const rect = `<rect ${box} shape-rendering="crispEdges"`;
      return title === undefined ? `${rect}/>\n` : `${rect}><title>${safe(title)}</title></rect>\n`;
    }
    case 'line': {
      const { points, stroke, width, isDashed } = mark;
      const dash = isDashed ? ' stroke-dasharray="2.5 2"' : '';
      const ends = ' stroke-linejoin="round" stroke-linecap="round"';
      return `<polyline points="${points.map(round).join(' ')}" fill="none" stroke="${stroke}" stroke-width="${width}"${isDashed ? dash : ends}/>\n`;
    }
    case 'text': {
      const { room, ...whole } = mark;
      const { x, y, text, fill, anchor, isTurned, isBold } = whole;
      // Which font it will be seen in is not known here, so the picture of it ends where its room does.
      if (room !== undefined) {
        const clip = `x="${round(x)}" y="${round(y - textSize)}" width="${round(room)}" height="${1.5 * textSize}"`;
        return `<svg ${clip}>${written({ ...whole, x: 0, y: textSize }).trimEnd()}</svg>\n`;
      }
      const place = isTurned
        ? `transform="translate(${round(x)} ${round(y)}) rotate(-90)"`
        : `x="${round(x)}" y="${round(y)}"`;
      const more = `${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}${isBold ? ' font-weight="bold"' : ''}`;
      return `<text ${place} fill="${fill}"${more} xml:space="preserve">${safe(text)}</text>\n`;
    }
  }
}

const safe = (text: string): string => escapeHtml(shown(text));

const round = (n: number): number => Math.round(n * 100) / 100;
