/** A drawing as PNG, with as many pixels as a printer needs. */
import { density, withDensity } from '../../src/paper/density.js';
import { textSize } from '../../src/paper/metrics.js';
import { cut, type Drawing, type Mark } from '../../src/paper/sheet.js';

export async function pngOf({ width, height, background, marks }: Drawing): Promise<ArrayBuffer> {
  // The largest side that a canvas of Chromium's may have: a figure many pages long has fewer dots.
  const dots = Math.min(density, (72 * 32_000) / Math.max(width, height));
  const scale = dots / 72;
  const canvas = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
  const context = canvas.getContext('2d')!;
  context.scale(scale, scale);
  context.fillStyle = background;
  context.fillRect(0, 0, width, height);
  for (const mark of marks) drawMark(context, mark, scale);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  return withDensity(await blob.arrayBuffer(), dots);
}

function drawMark(context: OffscreenCanvasRenderingContext2D, mark: Mark, scale: number): void {
  switch (mark.is) {
    case 'rect': {
      // On whole pixels, so that no seams show between neighbours.
      const [left, top, right, bottom] = [mark.x, mark.y, mark.x + mark.width, mark.y + mark.height].map(
        (at) => Math.round(at * scale) / scale,
      ) as [number, number, number, number];
      context.fillStyle = mark.fill;
      context.fillRect(left, top, right - left, bottom - top);
      return;
    }
    case 'line':
      context.strokeStyle = mark.stroke;
      context.lineWidth = mark.width;
      context.setLineDash(mark.isDashed ? [2.5, 2] : []);
      context.lineCap = mark.isDashed ? 'butt' : 'round';
      context.lineJoin = 'round';
      context.beginPath();
      for (let i = 0; i < mark.points.length; i += 2) context.lineTo(mark.points[i]!, mark.points[i + 1]!);
      context.stroke();
      return;
    case 'text':
      context.save();
      context.translate(mark.x, mark.y);
      if (mark.isTurned) context.rotate(-Math.PI / 2);
      context.fillStyle = mark.fill;
      context.textAlign = mark.anchor === 'middle' ? 'center' : mark.anchor;
      context.font = `${mark.isBold ? 'bold ' : ''}${textSize}px Helvetica, Arial, Arimo, 'Liberation Sans', sans-serif`;
      context.fillText(
        mark.room === undefined ? mark.text : cut(mark.text, mark.room, (text) => context.measureText(text).width),
        0,
        0,
      );
      context.restore();
  }
}
