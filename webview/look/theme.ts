/** Colours for canvas and charts, read from the editor's theme, and one style class for each of the experts' colours. */
import { effect, signal } from '@preact/signals';
import { colourCount, expertStyle, inkOn, measureColours, quiet, type Colour } from '../../src/look/palette.js';
import { classOf } from './looks.js';

export interface Theme {
  readonly light: boolean;
  readonly highContrast: boolean;
  readonly background: string;
  readonly foreground: string;
  readonly faint: string;
  readonly line: string;
  readonly focus: string;
  /** Difference between two runs. */
  readonly difference: string;
  /** Where one of them does better; `difference` where it does worse. */
  readonly gain: string;
  readonly font: string;
  readonly mono: string;
}

const bands = {
  solid: 'linear-gradient(var(--x),var(--x))',
  rising: 'repeating-linear-gradient(135deg,var(--x) 0 2px,transparent 2px 4px)',
  dots: 'repeating-linear-gradient(90deg,var(--x) 0 3px,transparent 3px 6px)',
  cross: 'repeating-linear-gradient(0deg,var(--x) 0 1px,transparent 1px 2px)',
} as const;

const parsed = new Map<string, [number, number, number]>();
const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!;

/** The page follows the editor's theme by the class that VS Code puts on the body. */
function readTheme(): Theme {
  if (matchMedia('(forced-colors: active)').matches) return forcedTheme();
  const style = getComputedStyle(document.body);
  const of = (name: string, fallback: string) => style.getPropertyValue(name).trim() || fallback;
  const light =
    document.body.classList.contains('vscode-light') || document.body.classList.contains('vscode-high-contrast-light');
  const highContrast =
    document.body.classList.contains('vscode-high-contrast') ||
    document.body.classList.contains('vscode-high-contrast-light');
  const foreground = of('--vscode-editor-foreground', light ? '#3b3b3b' : '#cccccc');
  const kind = highContrast ? (light ? 'highContrastLight' : 'highContrast') : light ? 'light' : 'dark';
  return {
    light,
    highContrast,
    background: of('--vscode-editor-background', light ? '#ffffff' : '#1f1f1f'),
    foreground,
    faint: of('--vscode-descriptionForeground', foreground),
    line: of('--vscode-editorIndentGuide-background1', of('--vscode-panel-border', light ? '#d3d3d3' : '#404040')),
    focus: of('--vscode-focusBorder', '#0078d4'),
    difference: of('--vscode-gander-measure', measureColours[kind]),
    gain: of('--vscode-charts-blue', light ? '#1a85ff' : '#3794ff'),
    font: of('--vscode-font-family', 'sans-serif'),
    mono: of('--vscode-editor-font-family', 'monospace'),
  };
}

/** A canvas is not subject to forced colours, so it is painted with the system's colours. */
function forcedTheme(): Theme {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const system = (name: string) => {
    probe.style.color = name;
    return getComputedStyle(probe).color;
  };
  const [background, foreground] = [system('Canvas'), system('CanvasText')];
  const [faint, line, focus] = [foreground, system('GrayText'), system('Highlight')];
  const style = getComputedStyle(document.body);
  probe.remove();
  return {
    light: channels(background).reduce((sum, c) => sum + c, 0) > 382,
    highContrast: true,
    background,
    foreground,
    faint,
    line,
    focus,
    difference: focus,
    gain: foreground,
    font: style.getPropertyValue('--vscode-font-family').trim() || 'sans-serif',
    mono: style.getPropertyValue('--vscode-editor-font-family').trim() || 'monospace',
  };
}

export const theme = signal(readTheme());

const again = (): void => {
  theme.value = readTheme();
};
new MutationObserver(again).observe(document.body, {
  attributes: true,
  attributeFilter: ['class', 'data-vscode-theme-id'],
});
new MutationObserver(again).observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
matchMedia('(forced-colors: active)').addEventListener('change', again);

/** @param slot from `slotsOf` */
export function colourOf(slot: number, { light, background, foreground }: Theme): Colour {
  if (slot === quiet) return { fill: css(mix(background, foreground, 0.42)), ink: light ? '#000000' : '#ffffff' };
  const style = expertStyle(slot);
  return light ? style.light : style.dark;
}

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);

/** `.x3` sets the colour, ink and pattern of slot 3 as custom properties, `.xo` those of all experts without one. */
effect(() => {
  const rules = [quiet, ...Array(colourCount).keys()].map((slot) => {
    const { fill, ink } = colourOf(slot, theme.value);
    const band = bands[slot === quiet ? 'solid' : expertStyle(slot).pattern];
    return `.${classOf(slot)}{--x:${fill};--ink:${ink};--band:${band}}`;
  });
  sheet.replaceSync(rules.join('\n'));
});

/** sRGB channels of a CSS colour (hex, rgb() or a name), computed with a canvas. */
export function channels(colour: string): [number, number, number] {
  const known = parsed.get(colour);
  if (known) return known;
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = colour;
  pixel.fillRect(0, 0, 1, 1);
  const [r, g, b] = pixel.getImageData(0, 0, 1, 1).data as unknown as [number, number, number];
  const out: [number, number, number] = [r, g, b];
  parsed.set(colour, out);
  return out;
}

export function mix(from: string, to: string, share: number): [number, number, number] {
  const [a, b] = [channels(from), channels(to)];
  return [0, 1, 2].map((i) => Math.round(a[i]! + (b[i]! - a[i]!) * share)) as [number, number, number];
}

/** The text colour that is readable on sRGB channels. */
export function inkOver(fill: readonly [number, number, number]): string {
  return inkOn(hexOf(fill));
}

/** `#rrggbb` */
export function hexOf(colour: readonly [number, number, number]): string {
  return `#${colour.map((c) => c.toString(16).padStart(2, '0')).join('')}`;
}

export function css([r, g, b]: readonly [number, number, number]): string {
  return `rgb(${r} ${g} ${b})`;
}
