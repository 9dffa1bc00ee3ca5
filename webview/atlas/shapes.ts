/** What the map and its legend consist of, drawn on a canvas. */
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

export const onScreen = ({ background, foreground, faint, line, gain, difference }: Theme): Inks => ({
  background,
  foreground,
  faint,
  line,
  more: gain,
  less: difference,
});

const textSize = 11;

/** About how wide a text is, in pixels. */
export const widthOf = (text: string): number => Array.from(text).length * textSize * 0.62;

/** The colour of a share, from −1 to 1, of the strongest one on its side of chance. */
export function shade(share: number, { background, more, less }: Inks): string {
  return hex(mix(background, share < 0 ? less : more, Math.min(1, Math.abs(share))));
}

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
        context.font = `${textSize}px ${font}`;
        context.textAlign = shape.anchor === 'middle' ? 'center' : (shape.anchor ?? 'start');
        context.fillText(shape.text, shape.x, shape.y);
        break;
    }
  }
}
