/** Colours for canvas and charts, read from the editor's theme, and one style class for each expert. */
import { expertStyle, type Colour, type ExpertStyle } from '../src/shared/palette.js';

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
  readonly font: string;
  readonly mono: string;
}

/** The page follows the editor's theme by the class that VS Code puts on the body. */
export function readTheme(): Theme {
  if (matchMedia('(forced-colors: active)').matches) return forcedTheme();
  const style = getComputedStyle(document.body);
  const of = (name: string, fallback: string) => style.getPropertyValue(name).trim() || fallback;
  const light =
    document.body.classList.contains('vscode-light') || document.body.classList.contains('vscode-high-contrast-light');
  const foreground = of('--vscode-editor-foreground', light ? '#3b3b3b' : '#cccccc');
  return {
    light,
    highContrast:
      document.body.classList.contains('vscode-high-contrast') ||
      document.body.classList.contains('vscode-high-contrast-light'),
    background: of('--vscode-editor-background', light ? '#ffffff' : '#1f1f1f'),
    foreground,
    faint: of('--vscode-descriptionForeground', foreground),
    line: of('--vscode-editorIndentGuide-background1', of('--vscode-panel-border', light ? '#d3d3d3' : '#404040')),
    focus: of('--vscode-focusBorder', '#0078d4'),
    difference: of('--vscode-charts-orange', light ? '#b35c00' : '#ffa348'),
    font: of('--vscode-font-family', 'sans-serif'),
    mono: of('--vscode-editor-font-family', 'monospace'),
  };
}

/** The canvas is not forced: it takes the system's colours by itself. */
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
    font: style.getPropertyValue('--vscode-font-family').trim() || 'sans-serif',
    mono: style.getPropertyValue('--vscode-editor-font-family').trim() || 'monospace',
  };
}

export function onThemeChange(changed: () => void): void {
  new MutationObserver(changed).observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-vscode-theme-id'],
  });
  new MutationObserver(changed).observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
  matchMedia('(forced-colors: active)').addEventListener('change', changed);
}

const styles: ExpertStyle[] = [];

/** As `expertStyle`, made once. */
export function look(expert: number): ExpertStyle {
  return (styles[expert] ??= expertStyle(expert));
}

export function colourOf(expert: number, theme: Theme): Colour {
  return theme.light ? look(expert).light : look(expert).dark;
}

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets.push(sheet);

/** `.x3` sets expert 3's colour, ink and letter as custom properties, and the pattern of its band. */
export function styleExperts(count: number, theme: Theme): void {
  const rules = Array.from({ length: count }, (_, e) => {
    const { fill, ink } = colourOf(e, theme);
    return `.x${e}{--x:${fill};--ink:${ink};--letter:"${look(e).letter}";--band:${bands[look(e).pattern]}}`;
  });
  sheet.replaceSync(rules.join('\n'));
}

const bands = {
  solid: 'linear-gradient(var(--x),var(--x))',
  rising: 'repeating-linear-gradient(135deg,var(--x) 0 2px,transparent 2px 4px)',
  dots: 'repeating-linear-gradient(90deg,var(--x) 0 3px,transparent 3px 6px)',
  cross: 'repeating-linear-gradient(0deg,var(--x) 0 1px,transparent 1px 2px)',
} as const;

/** sRGB channels of a CSS colour in hex, rgb() or a name, by way of a canvas. */
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

const parsed = new Map<string, [number, number, number]>();
const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!;

export function mix(from: string, to: string, share: number): [number, number, number] {
  const [a, b] = [channels(from), channels(to)];
  return [0, 1, 2].map((i) => Math.round(a[i]! + (b[i]! - a[i]!) * share)) as [number, number, number];
}

export const css = ([r, g, b]: readonly [number, number, number]): string => `rgb(${r} ${g} ${b})`;
