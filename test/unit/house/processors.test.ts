import { afterEach, expect, it, vi } from 'vitest';
import { onProcessors } from '../../../scripts/lib/processors.mjs';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it('tests on other processors are skipped with a message if nothing emulates them', async () => {
  vi.stubEnv('PATH', '');
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const tests = vi.fn();
  expect(await onProcessors(tests)).toEqual({ passed: 0, failed: [], skipped: 2 });
  expect(tests).not.toHaveBeenCalled();
  expect(said.mock.calls.join()).toMatch(/^Skipped: no qemu-x86_64 .*(Linux on x64|qemu-user)/);
});
