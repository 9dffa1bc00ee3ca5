import { describe, expect, it } from 'vitest';
import { Size } from '../../../src/graph/size.js';

const [p, t] = [Size.named('p'), Size.named('t')];
const key = (size: Size | undefined) => size?.key;

describe('a size', () => {
  it('is equal however it was added up', () => {
    expect(key(p.plus(t))).toBe(key(t.plus(p)));
    expect(key(p.plus(t)?.minus(p))).toBe(t.key);
    expect(key(p.minus(p))).toBe(key(Size.of(0)));
    expect(key(p.plus(Size.of(2))?.times(Size.of(3)))).toBe(key(p.times(Size.of(3))?.plus(Size.of(6))));
  });

  it('is not multiplied by another that is not constant, nor divided with a remainder', () => {
    expect(p.times(t)).toBeUndefined();
    expect(p.over(2)).toBeUndefined();
    expect(Size.of(7).over(2)).toBeUndefined();
    expect(Size.of(7).over(0)).toBeUndefined();
    expect(Size.of(2 ** 52).times(Size.of(4))).toBeUndefined();
  });

  it('is natural if no run makes it negative', () => {
    expect([p, Size.of(0), p.plus(Size.of(1))!].every(({ isNatural }) => isNatural)).toBe(true);
    expect([Size.of(-1), p.minus(t)!, p.plus(Size.of(-1))!].some(({ isNatural }) => isNatural)).toBe(false);
  });

  it('is left when others cancel', () => {
    const [nine, head] = [Size.of(9), Size.of(64)];
    expect(key(Size.quotient([Size.of(1), t, Size.of(576)], [Size.of(1), t, head]))).toBe(nine.key);
    expect(key(Size.quotient([nine, t, head], [Size.of(576)]))).toBe(t.key);
    expect(Size.quotient([p, t], [Size.of(1)])).toBeUndefined();
    expect(Size.quotient([nine], [t])).toBeUndefined();
    expect(Size.quotient([nine, t], [Size.of(2)])).toBeUndefined();
  });
});
