import { expect, it } from 'vitest';
import { GanderError } from '../../../src/errors/errors.js';

it('recognises an error of another bundle', () => {
  class GanderErrorElsewhere extends Error {
    override readonly name = 'GanderError';
    readonly code = 'trace-invalid';
    readonly remedy = 'Save it again.';
  }
  const error = GanderError.from(new GanderErrorElsewhere('damaged'));
  expect(error).toBeInstanceOf(GanderError);
  expect(error.toData()).toEqual({ code: 'trace-invalid', message: 'damaged', remedy: 'Save it again.' });
});

it('makes anything else internal, and keeps its message', () => {
  expect(GanderError.from(new Error('boom'))).toMatchObject({ code: 'internal', message: 'boom' });
  expect(GanderError.from('boom')).toMatchObject({ code: 'internal', message: 'boom' });
});

it('crosses a boundary as data and back', () => {
  const error = new GanderError('text-empty', 'nothing', 'write');
  expect(GanderError.from(error)).toBe(error);
  expect(GanderError.fromData(error.toData()).toData()).toEqual(error.toData());
});
