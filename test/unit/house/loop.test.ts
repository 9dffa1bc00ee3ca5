// This repository's launch configurations, tasks and container refer only to things that exist.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { bundlesFor } from '../../../scripts/lib/bundles.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const read = <T>(file: string, schema: z.ZodType<T>) =>
  schema.parse(JSON.parse(readFileSync(path.join(root, file), 'utf8')));

/** Attributes of VS Code's debugger for JavaScript. */
const common = {
  name: z.string(),
  request: z.literal('launch'),
  outFiles: z.array(z.string()).optional(),
  preLaunchTask: z.string().optional(),
};
const node = z.strictObject({
  ...common,
  type: z.literal('node'),
  program: z.string(),
  args: z.union([z.string(), z.array(z.string())]).optional(),
  console: z.literal('integratedTerminal'),
  skipFiles: z.array(z.string()).optional(),
  serverReadyAction: z
    .strictObject({
      action: z.literal('debugWithChrome'),
      pattern: z.string(),
      uriFormat: z.literal('%s'),
      webRoot: z.literal('${workspaceFolder}'),
      killOnServerStop: z.boolean(),
    })
    .optional(),
});
const extensionHost = z.strictObject({
  ...common,
  type: z.literal('extensionHost'),
  args: z.array(z.string()),
  autoAttachChildProcesses: z.boolean(),
});
const launch = read(
  '.vscode/launch.json',
  z.strictObject({
    version: z.literal('0.2.0'),
    configurations: z.array(z.discriminatedUnion('type', [node, extensionHost])),
    inputs: z.array(
      z.strictObject({
        id: z.string(),
        type: z.literal('promptString'),
        description: z.string(),
        default: z.string(),
      }),
    ),
  }),
);
const { tasks } = read(
  '.vscode/tasks.json',
  z.strictObject({
    version: z.literal('2.0.0'),
    tasks: z.array(
      z.strictObject({
        label: z.string(),
        type: z.literal('npm'),
        script: z.string(),
        group: z.strictObject({ kind: z.enum(['build', 'test']), isDefault: z.literal(true) }),
        isBackground: z.literal(true).optional(),
        presentation: z.strictObject({ reveal: z.literal('silent') }).optional(),
        problemMatcher: z.array(z.never()),
      }),
    ),
  }),
);
const { scripts } = read('package.json', z.looseObject({ scripts: z.record(z.string(), z.string()) }));

const bundled = bundlesFor('work').flatMap(({ outfile }) => outfile ?? []);

/** The paths in the repository that a text names with VS Code's variable. */
const pathsIn = (text: string) => [...text.matchAll(/\$\{workspaceFolder\}\/([^"*]+)/g)].map(([, file]) => file!);

test.each(launch.configurations)('$name starts something that exists', (configuration) => {
  const { preLaunchTask, outFiles = [], ...rest } = configuration;
  const missing = pathsIn(JSON.stringify(rest)).filter(
    (file) => !bundled.includes(file) && !existsSync(path.join(root, file)),
  );
  expect(missing).toEqual([]);
  if (preLaunchTask) expect(tasks.map(({ label }) => label)).toContain(preLaunchTask);
  // The debugger finds the source maps by these.
  if (outFiles.length > 0) expect(outFiles).toEqual(['${workspaceFolder}/dist/*.cjs']);
  expect(bundled.filter((file) => !/^dist\/\w+\.cjs$/.test(file))).toEqual([]);
});

test('a launch uses only inputs that are defined', () => {
  const asked = [...JSON.stringify(launch.configurations).matchAll(/\$\{input:(\w+)\}/g)].map(([, id]) => id);
  expect(asked).toEqual(launch.inputs.map(({ id }) => id));
});

test('the browser opens the address that the page is served at', () => {
  const page = launch.configurations.find(({ name }) => name === 'Page') as z.infer<typeof node>;
  const pattern = new RegExp(page.serverReadyAction!.pattern);
  expect(pattern.exec('  http://127.0.0.1:8000/\n')?.[1]).toBe('http://127.0.0.1:8000/');
});

test.each(tasks)('the task $label is a script', ({ script }) => {
  expect(scripts).toHaveProperty(script);
});

test('the container has what the scripts need, and the recommended extensions', () => {
  const { recommendations } = read('.vscode/extensions.json', z.strictObject({ recommendations: z.array(z.string()) }));
  const container = read(
    '.devcontainer/devcontainer.json',
    z.strictObject({
      name: z.string(),
      image: z.string(),
      onCreateCommand: z.string(),
      postCreateCommand: z.string(),
      customizations: z.strictObject({ vscode: z.strictObject({ extensions: z.array(z.string()) }) }),
    }),
  );
  expect(container.image).toMatch(/:20-bookworm$/);
  expect(container.onCreateCommand).toMatch(/chromium .*python3-venv .*ripgrep/);
  expect(container.customizations.vscode.extensions).toEqual(recommendations);
});
