import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  beside,
  comfortable,
  contentSize,
  fitted,
  ofTokens,
  hit,
  middleOf,
  revealed,
  windowOf,
  xOf,
  yOf,
  zoomed,
  type Frame,
} from '../../../webview/map/geometry.js';
import { keyAction, zoomStep } from '../../../webview/map/input.js';

const frameOf = (width: number, height: number, x = 0, y = 0): Frame => ({
  width: 700,
  height: 300,
  ratio: 1,
  gutter: { left: 62, top: ofTokens.top(width) },
  cell: { width, height },
  scroll: { x, y },
});

const extents = fc.record({ columns: fc.integer({ min: 1, max: 20_000 }), rows: fc.integer({ min: 1, max: 900 }) });
const cells = fc.record({
  width: fc.double({ min: 0.05, max: 30, noNaN: true }),
  height: fc.double({ min: 0.05, max: 22, noNaN: true }),
});

describe('geometry', () => {
  test('a point in a cell hits that cell', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 29 }), (column, row) => {
        const frame = frameOf(9, 8);
        const at = { x: xOf(frame, column) + 4, y: yOf(frame, row) + 4 };
        expect(hit(frame, at, { columns: 61, rows: 30 })).toEqual({ on: 'cell', column, row });
      }),
    );
  });

  test('outside it there is nothing, at the left a row', () => {
    const frame = frameOf(12, 10);
    const extent = { columns: 10, rows: 4 };
    expect(hit(frame, { x: 200, y: 5 }, extent)).toBeUndefined();
    expect(hit(frame, { x: 600, y: 70 }, extent)).toBeUndefined();
    expect(hit(frame, { x: 200, y: 290 }, extent)).toBeUndefined();
    expect(hit(frame, { x: 20, y: 58 + 15 }, extent)).toEqual({ on: 'gutter', row: 1 });
  });

  test('before the user zooms, a grid takes its room: all tokens as long as they can be seen, and all of the height', () => {
    const { width, height } = comfortable({ width: 476, height: 800 }, { columns: 278, rows: 30 });
    expect(62 + 278 * width).toBeLessThanOrEqual(476);
    expect(18 + 30 * height).toBeGreaterThan(780);
    // Of a longer text there is no such width; rows do not grow without end.
    expect(comfortable({ width: 482, height: 800 }, { columns: 600, rows: 8 })).toEqual({ width: 2.5, height: 32 });
  });

  test('fitted, everything is in view', () => {
    fc.assert(
      fc.property(extents, (extent) => {
        const size = { width: 700, height: 300 };
        const content = contentSize(fitted(size, extent), extent);
        expect(content.width).toBeLessThanOrEqual(size.width);
        expect(content.height).toBeLessThanOrEqual(size.height + 1e-6);
      }),
    );
  });

  test('before the user zooms, no cell is too small to be seen', () => {
    const { width, height } = comfortable({ width: 700, height: 300 }, { columns: 20_000, rows: 900 });
    expect([width, height]).toEqual([2.5, 4]);
  });

  test('zooming leaves what is under the pointer where it is', () => {
    fc.assert(
      fc.property(
        cells,
        fc.double({ min: 0.5, max: 2, noNaN: true }),
        fc.nat(5000),
        fc.nat(2000),
        (cell, factor, x, y) => {
          const frame = frameOf(cell.width, cell.height, x, y);
          const anchor = { x: 300, y: 200 };
          const { zoom, scroll } = zoomed(frame, { width: cell.width * factor, height: cell.height * factor }, anchor);
          const columnOf = (f: Frame) => (anchor.x - f.gutter.left + f.scroll.x) / f.cell.width;
          const rowOf = (f: Frame) => (anchor.y - f.gutter.top + f.scroll.y) / f.cell.height;
          const after = { ...frameOf(zoom.width, zoom.height), scroll };
          expect(columnOf(after)).toBeCloseTo(columnOf(frame), 6);
          expect(rowOf(after)).toBeCloseTo(rowOf(frame), 6);
          expect(zoom.width).toBeLessThanOrEqual(30);
          expect(zoom.height).toBeLessThanOrEqual(32);
        },
      ),
    );
  });

  test('a selected cell is brought into view by the least scrolling', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(200), fc.nat(3000), fc.nat(1500), (column, row, x, y) => {
        const frame = frameOf(9, 8, x, y);
        const inner = { width: 690, height: 290 };
        const scroll = revealed(frame, inner, { column, row });
        const moved = { ...frame, scroll };
        expect(xOf(moved, column)).toBeGreaterThanOrEqual(62 - 1e-6);
        expect(xOf(moved, column + 1)).toBeLessThanOrEqual(690 + 1e-6);
        expect(yOf(moved, row)).toBeGreaterThanOrEqual(18 - 1e-6);
        expect(yOf(moved, row + 1)).toBeLessThanOrEqual(290 + 1e-6);
        expect(revealed(moved, inner, { column, row })).toEqual(scroll);
      }),
    );
    expect(revealed(frameOf(9, 8, 70, 30), { width: 690, height: 290 }, { column: -1, row: -1 })).toEqual({
      x: 70,
      y: 30,
    });
  });

  test('the window contains the cells in view and no more', () => {
    expect(windowOf(frameOf(10, 10, 25, 15), { columns: 1000, rows: 500 })).toEqual({ c0: 2, c1: 67, r0: 1, r1: 26 });
    expect(windowOf(frameOf(10, 10), { columns: 3, rows: 2 })).toEqual({ c0: 0, c1: 3, r0: 0, r1: 2 });
  });

  test('a tip is on the side that has room', () => {
    const box = { width: 120, height: 60 };
    const frame = frameOf(9, 8);
    expect(beside(frame, { column: 2, row: 2 }, box).x).toBeGreaterThan(xOf(frame, 3));
    const far = beside(frame, { column: 68, row: 30 }, box);
    expect(far.x + box.width).toBeLessThanOrEqual(xOf(frame, 68));
    expect(far.y + box.height).toBeLessThanOrEqual(yOf(frame, 30));
  });

  test('a box beside a cell never covers it, however little room there is', () => {
    const sizes = fc.record({ width: fc.integer({ min: 40, max: 300 }), height: fc.integer({ min: 20, max: 160 }) });
    const rooms = fc.record({ width: fc.integer({ min: 310, max: 700 }), height: fc.integer({ min: 60, max: 300 }) });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 20 }), sizes, rooms, (c, r, box, room) => {
        const frame = { ...frameOf(13, 18), ...room };
        if (xOf(frame, c) > frame.width || yOf(frame, r) > frame.height) return;
        const { x, y } = beside(frame, { column: c, row: r }, box);
        const isBeside = x >= xOf(frame, c + 1) || x + box.width <= xOf(frame, c);
        expect(isBeside || y >= yOf(frame, r + 1) || y + box.height <= yOf(frame, r)).toBe(true);
        expect(x).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('a box without room at a cell’s sides leaves a low frame where the window goes on', () => {
    const frame = { ...frameOf(13, 18), width: 460, height: 160 };
    const [at, box] = [
      { column: 11, row: 1 },
      { width: 236, height: 140 },
    ];
    expect(beside(frame, at, box, { from: -170, to: 520 })).toEqual({ x: 224, y: yOf(frame, 2) + 6 });
    expect(beside(frame, at, box, { from: -500, to: 180 })).toEqual({ x: 224, y: yOf(frame, 1) - 146 });
  });
});

test('a number above the map is centred, except at its edges, which would cut it in half', () => {
  const frame = { width: 300, gutter: { left: 62, top: 18 } };
  expect([64, 150, 298].map((x) => middleOf(x, 20, frame))).toEqual([72, 150, 289]);
});

describe('keys', () => {
  const about = { page: 10, all: false, columns: 50, rows: 30 };
  const at = { column: 5, row: 6 };

  test.each([
    ['ArrowLeft', 4, 6],
    ['ArrowRight', 6, 6],
    ['ArrowUp', 5, 5],
    ['ArrowDown', 5, 7],
    ['PageUp', 5, -4],
    ['PageDown', 5, 16],
    ['Home', 0, 6],
    ['End', 49, 6],
  ])('%s', (key, column, row) => {
    expect(keyAction(key, at, about)).toEqual({ do: 'go', to: { column, row } });
  });

  test('with Ctrl, to the corners', () => {
    expect(keyAction('End', at, { ...about, all: true })).toEqual({ do: 'go', to: { column: 49, row: 29 } });
    expect(keyAction('Home', at, { ...about, all: true })).toEqual({ do: 'go', to: { column: 0, row: 0 } });
  });

  test('the first arrow key only enters', () => {
    expect(keyAction('ArrowRight', { column: 5, row: -1 }, about)).toEqual({ do: 'go', to: { column: 5, row: 0 } });
    expect(keyAction('ArrowDown', { column: -1, row: -1 }, about)).toEqual({ do: 'go', to: { column: 0, row: 0 } });
  });

  test('everything else', () => {
    expect(keyAction('Enter', at, about)).toEqual({ do: 'toggle', row: 6 });
    expect(keyAction('+', at, about)).toEqual({ do: 'zoom', by: zoomStep });
    expect(keyAction('0', at, about)).toEqual({ do: 'fit' });
    expect(keyAction('Escape', at, about)).toEqual({ do: 'leave' });
    expect(keyAction('a', at, about)).toBeUndefined();
  });
});
