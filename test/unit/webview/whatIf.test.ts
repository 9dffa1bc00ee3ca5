import { describe, expect, it } from 'vitest';
import { shownExpertsOf } from '../../../src/trace/model/shownExperts.js';
import { initial } from '../../../webview/store/state.js';
import { aim } from '../../../webview/tabs/whatIf/model.js';
import { fabricateMoe } from '../../webview/fabricateMoe.js';

const trace = fabricateMoe();
const shown = shownExpertsOf(trace);
const at = (layer: string, form = initial.whatIf) =>
  aim(trace, form, { ...initial.selection, token: 3, layer }, shown).where;

describe('a what-if of a model whose layers have their own experts', () => {
  it('is offered where one has clicked, and in the first layer before that', () => {
    expect(at('1')).toBe('layer:1');
    expect(at('')).toBe('layer:0');
  });

  it('stays where the form says it is', () => {
    expect(at('1', { ...initial.whatIf, where: 'layer:0' })).toBe('layer:0');
  });
});
