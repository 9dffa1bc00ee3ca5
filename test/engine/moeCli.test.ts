/** `gander … --model`. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtCli, root, temporaryFolder, tinyPool } from './support.js';

const model = path.join(root, 'test/fixtures/moe/qwen2-moe-transformers');
const mixer = path.join(root, 'test/fixtures/moe/phimoe-transformers');
const cli = builtCli();
const cache = temporaryFolder();
const gander = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args, '--cache', cache], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
};

describe('gander', () => {
  it('routes a text through a mixture of experts', () => {
    const { status, stdout, stderr } = gander('route', '--model', model, '--json', 'the model', '--knock-out', '1.3');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const told = JSON.parse(stdout) as Record<string, unknown>;
    expect(told).toMatchObject({
      router: { name: 'qwen2_moe', k: 2, scoring: 'softmax' },
      source: { kind: 'moe', name: 'qwen2-moe-transformers' },
      interventions: [{ action: 'knock-out', expert: '1.3', scope: {} }],
      absent: ['contributions'],
    });
  });

  it('sends tokens to the number of experts that is asked for', { tags: ['slow'] }, () => {
    const routed = gander('route', '--model', model, '--k', '3', '--json', 'the model');
    expect(routed).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(routed.stdout)).toMatchObject({ router: { name: 'qwen2_moe', k: 3 } });
    const compared = gander('compare', '--model', model, '--with', 'native:1', 'the model');
    expect(compared).toMatchObject({ status: 0, stderr: '' });
    expect(compared.stdout).toMatch(/^a {2}qwen2_moe:2, .*\nb {2}qwen2_moe:1, /);
    const scored = gander('score', '--model', model, '--k', '1', '--json', path.join(root, 'LICENSE'));
    expect(JSON.parse(scored.stdout)).toMatchObject({ files: [{ scores: [{ strategy: 'native:1' }] }] });
  });

  it('describes a model', () => {
    const { stdout } = gander('inspect', '--model', model, '--modules');
    expect(stdout).toMatch(/router +qwen2_moe:2/);
    expect(stdout).toMatch(/experts +8 a layer/);
    expect(stdout).toMatch(/another k +can be asked for, up to 8/);
    expect(stdout).toContain('model.layers.1.mlp.gate');
  });

  it.each([
    [['route', '--model', model, '--strategy', 'base', 'x'], /for pools/],
    [['route', '--model', model, '--pool', tinyPool, 'x'], /not both/],
    [['attribute', '--model', model, '--layer', 'one', 'x'], /layer's number/],
    [['attribute', '--pool', tinyPool, '--most', '3', 'x'], /mixture of experts/],
    [['compare', '--model', model, '--with', 'base', 'x'], /--with native:1/],
    [['route', '--model', mixer, '--k', '3', 'x'], /sends each token to 2 experts/],
  ])('says what is wrong with %j', (args, message) => {
    const { status, stderr } = gander(...args);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(message);
  });

  it('names experts that exist', () => {
    const { status, stderr } = gander('route', '--model', model, '--force', '2.0', 'x');
    expect(status).toBe(1);
    expect(stderr).toMatch(/The model has no expert "2\.0"\. Its experts: 0\.0, 0\.1, /);
  });

  it('asks which router of a layer is meant', () => {
    const jetmoe = path.join(root, 'test/fixtures/moe/jetmoe-transformers');
    const { status, stderr } = gander('route', '--model', jetmoe, '--knock-out', '1.4', 'x');
    expect(status).toBe(1);
    expect(stderr).toMatch(/Say "1\.self_attention\.4" or "1\.mlp\.4"\./);
  });

  it('attributes to the experts of a layer', () => {
    const { status, stdout } = gander(
      'attribute',
      '--model',
      model,
      '--layer',
      '0',
      '--most',
      '2',
      '--json',
      'the model',
    );
    expect(status).toBe(0);
    const { experts } = JSON.parse(stdout) as { experts: { id: string }[] };
    expect(experts.map(({ id }) => id.split('.')[0])).toEqual(['0', '0']);
  });
});
