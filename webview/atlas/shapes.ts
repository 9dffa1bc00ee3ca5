/** What a picture consists of, drawn on a canvas or written as SVG. */
import { luminance } from '../../src/look/palette.js';
import { svg as s } from '../look/svg.js';
import { mix, type Theme } from '../look/theme.js';

export type Shape =
  | {
      readonly kind: 'rect';
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
      readonly fill: string;
    }
  | {
      readonly kind: 'path';
      /** As SVG writes it. */
      readonly d: string;
      readonly fill?: string;
      readonly stroke?: string;
      readonly width?: number;
    }
  | {
      readonly kind: 'text';
      readonly x: number;
      /** Of the text's middle. */
      readonly y: number;
      readonly text: string;
      readonly fill: string;
      readonly anchor?: 'start' | 'middle' | 'end';
      readonly size?: number;
      readonly isBold?: boolean;
    };

export interface Inks {
  readonly background: string;
  readonly foreground: string;
  readonly faint: string;
  readonly line: string;
  /** Above chance, and below. */
  readonly more: string;
  readonly less: string;
}

/** For files: their readers may have another theme. */
export const inFile: Inks = {
  background: '#ffffff',
  foreground: '#1f1f1f',
  faint: '#5c5c5c',
  line: '#c8c8c8',
  more: '#1a66c2',
  less: '#b35c00',
};

export const onScreen = ({ background, foreground, faint, line, gain, difference }: Theme): Inks => ({
  background,
  foreground,
  faint,
  line,
  more: gain,
  less: difference,
});

const textSize = 11;

/** About how wide a text is at a size, in pixels: what is measured on a canvas would differ in a file. */
export const widthOf = (text: string, size = textSize): number => Array.from(text).length * size * 0.62;

/** The colour of a share, from −1 to 1, of the strongest one on its side of chance. */
export function shade(share: number, { background, more, less }: Inks): string {
  return hex(mix(background, share < 0 ? less : more, Math.min(1, Math.abs(share))));
}

/** The colour of a mark that can be seen on a shade. */
export const inkOn = (fill: string): string => (luminance(fill) > 0.18 ? '#000000' : '#ffffff');

const hex = (channels: readonly number[]): string =>
  `#${channels.map((channel) => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;

export function draw(context: CanvasRenderingContext2D, shapes: readonly Shape[], font: string): void {
  context.textBaseline = 'middle';
  for (const shape of shapes) {
    switch (shape.kind) {
      case 'rect':
        context.fillStyle = shape.fill;
        context.fillRect(shape.x, shape.y, shape.width, shape.height);
        break;
      case 'path': {
        const path = new Path2D(shape.d);
        if (shape.fill !== undefined) {
          context.fillStyle = shape.fill;
          context.fill(path);
        }
        if (shape.stroke !== undefined) {
          context.strokeStyle = shape.stroke;
          context.lineWidth = shape.width ?? 1;
          context.stroke(path);
        }
        break;
      }
      case 'text':
        context.fillStyle = shape.fill;
        context.font = `${shape.isBold ? '600 ' : ''}${shape.size ?? textSize}px ${font}`;
        context.textAlign = shape.anchor === 'middle' ? 'center' : (shape.anchor ?? 'start');
        context.fillText(shape.text, shape.x, shape.y);
        break;
    }
  }
}

/** A picture for a file. */
export interface Picture {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
}

export function svgOf({ title, width, height, shapes }: Picture): string {
  const root = s(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img' },
    s('title', {}, title),
    s('rect', { width: '100%', height: '100%', fill: inFile.background }),
    ...shapes.map(elementOf),
  );
  return new XMLSerializer().serializeToString(root);
}

function elementOf(shape: Shape): SVGElement {
  switch (shape.kind) {
    case 'rect': {
      const { x, y, width, height, fill } = shape;
      return s('rect', { x, y, width, height, fill, 'shape-rendering': 'crispEdges' });
    }
    case 'path': {
      const { d, fill = 'none', stroke = 'none', width = 1 } = shape;
      return s('path', { d, fill, stroke, 'stroke-width': width });
    }
    case 'text': {
      const { x, y, text, fill, anchor = 'start', size = textSize, isBold = false } = shape;
      return s(
        'text',
        {
          x,
          y,
          fill,
          'font-size': size,
          'font-family': 'sans-serif',
          'text-anchor': anchor,
          'dominant-baseline': 'central',
          ...(isBold && { 'font-weight': 600 }),
        },
        text,
      );
    }
  }
}

/** At 300 dots per inch. */
const scale = 300 / 96;

export async function pngOf({ title: _, width, height, shapes }: Picture): Promise<ArrayBuffer> {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [Math.ceil(width * scale), Math.ceil(height * scale)];
  const context = canvas.getContext('2d')!;
  context.scale(scale, scale);
  draw(context, [{ kind: 'rect', x: 0, y: 0, width, height, fill: inFile.background }, ...shapes], 'sans-serif');
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done));
  return blob!.arrayBuffer();
}
