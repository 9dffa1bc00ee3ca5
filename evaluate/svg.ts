/** The few SVG elements of a figure, as text, because figures are drawn without a browser. */

export type Attributes = Readonly<Record<string, string | number | undefined>>;

export function element(name: string, attributes: Attributes = {}, ...children: readonly string[]): string {
  const given = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escape(typeof value === 'number' ? short(value) : value!)}"`);
  return children.length > 0
    ? `<${name}${given.join('')}>${children.join('')}</${name}>`
    : `<${name}${given.join('')}/>`;
}

export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escape(content));
}

export function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const short = (value: number) => String(Math.round(value * 100) / 100);

/**
 * A figure with its own background and two sets of colours, for light and dark systems, so that it stays readable even if the
 * page does not follow the reader's system.
 */
export function figure(
  width: number,
  height: number,
  title: string,
  description: string,
  body: readonly string[],
): string {
  const colours = (ground: string, ink: string, faint: string, line: string, mark: string, warm: string) =>
    `.ground{fill:${ground}}text{fill:${ink}}.faint{fill:${faint}}.line{stroke:${line}}.mark{fill:${mark}}` +
    `.stroke{stroke:${mark}}.ring{stroke:${warm}}`;
  const style =
    'text{font:12px system-ui,sans-serif}.title{font-size:14px;font-weight:600}.small{font-size:10px}.sub{font-size:11px}' +
    '.line,.stroke,.ring{fill:none}' +
    colours('#ffffff', '#1b1f24', '#59636e', '#c8cfd7', '#54a3e8', '#b3440a') +
    `@media (prefers-color-scheme:dark){${colours('#1b1f24', '#f0f6fc', '#a5b0bb', '#4a535d', '#2f81c7', '#ffa657')}}`;
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${short(width)} ${short(height)}`,
      width,
      height,
      role: 'img',
    },
    element('title', {}, escape(title)),
    element('desc', {}, escape(description)),
    element('style', {}, style),
    element('rect', { width, height, rx: 8, class: 'ground' }),
    text(16, 26, title, { class: 'title' }),
    ...body,
  )}\n`;
}
