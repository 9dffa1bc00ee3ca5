// npm run notices: writes THIRD_PARTY_NOTICES.md, the licences of all third-party parts of a package: what esbuild puts into the
// bundles, the modules beside them, and the weights. Run it after changing a dependency.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { downloads } from './lib/bundles.mjs';
import { main, Remedy, root, say } from './lib/main.mjs';

const modules = path.join(root, 'node_modules');

/** The files of which something is in the bundles. @param {esbuild.Metafile | undefined} metafile */
const filesIn = (metafile) =>
  Object.values(metafile?.outputs ?? {}).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );

/** The folders of the packages whose code is in the bundles; a package may be nested in the one that needs it. */
async function bundled() {
  /** @type {esbuild.BuildOptions} */
  const common = {
    bundle: true,
    write: false,
    metafile: true,
    absWorkingDir: root,
    outdir: 'out',
    logLevel: 'error',
    loader: { '.svg': 'dataurl', '.ttf': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl' },
  };
  const external = ['vscode', 'onnxruntime-node', 'tokenizers'];
  // The page contains its worker's code as text; here the worker is a separate entry.
  /** @type {esbuild.BuildOptions} */
  const page = { platform: 'browser', jsx: 'automatic', jsxImportSource: 'preact', external: ['*?worker'] };
  const node = ['src/extension.ts', 'src/engine/main.ts', 'src/import/main.ts', 'src/cli/main.ts'];
  const builds = [
    await esbuild.build({ ...common, entryPoints: node, platform: 'node', external, plugins: [downloads] }),
    await esbuild.build({ ...common, ...page, entryPoints: ['webview/main.tsx', 'webview/background/worker.ts'] }),
  ];
  const folders = builds.flatMap(({ metafile }) =>
    filesIn(metafile).flatMap((file) => {
      const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
      return found?.[1] ? [path.join(root, found[1])] : [];
    }),
  );
  const beside = ['onnxruntime-node', 'onnxruntime-common', 'tokenizers'].map((name) => path.join(modules, name));
  return [...new Set([...folders, ...beside])].filter((folder) => existsSync(path.join(folder, 'package.json')));
}

/** @param {string} holder */
const mit = (holder) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Licence texts of packages that have no file with one. @type {Record<string, string>} */
const elsewhere = {
  'onnxruntime-node': mit('Microsoft Corporation'),
  'onnxruntime-common': mit('Microsoft Corporation'),
  brotli: `${mit('Devon Govett')}

Its decoder (dec): Copyright 2013 Google Inc., under the Apache License 2.0, whose text is in LICENSE.`,
  dfa: mit('Devon Govett'),
  fontkit: mit('Devon Govett'),
  '@bufbuild/protobuf': `Copyright 2021 Buf Technologies, Inc., under the Apache License 2.0, whose text is in LICENSE. Parts:

Copyright 2008 Google Inc.  All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following
conditions are met:

    * Redistributions of source code must retain the above copyright notice, this list of conditions and the following
disclaimer.
    * Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
disclaimer in the documentation and/or other materials provided with the distribution.
    * Neither the name of Google Inc. nor the names of its contributors may be used to endorse or promote products derived
from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES;
LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN
CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS
SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.`,
};

/**
 * The file with the notices of what onnxruntime's library is built from, which the npm package leaves out.
 * @param {string} version
 */
function builtFrom(version) {
  const file = `third-party/onnxruntime-${version}.txt`;
  if (existsSync(path.join(root, file))) return file;
  throw new Remedy(`${file} is missing; it is ThirdPartyNotices.txt in the Python package onnxruntime ${version}`);
}

/** @param {string} folder */
function notice(folder) {
  const { name, version, license, repository } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const url = String(repository?.url ?? repository ?? '')
    .replace(/^git\+/, '')
    .replace(/\.git$/, '');
  const files = readdirSync(folder).filter((f) => /^(licen[cs]e|notice|copying)/i.test(f));
  const texts = files.map((f) => readFileSync(path.join(folder, f), 'utf8').trim());
  if (!texts.length && elsewhere[name]) texts.push(elsewhere[name]);
  if (!texts.length)
    throw new Remedy(`${name} ${version} (${license}) contains no licence text; add it to scripts/notices.mjs`);
  const body = texts.map((t) => `\`\`\`text\n${t}\n\`\`\``).join('\n\n');
  const parts = name === 'onnxruntime-node' ? `\n\nThe library's own third-party notices: ${builtFrom(version)}` : '';
  return `## ${name} ${version}\n\n${license ?? 'Its own licence'}${url ? `, ${url}` : ''}\n\n${body}${parts}\n`;
}

const weights = `## Model weights

Both are changed: converted to ONNX and quantised.

- SmolLM2-135M-Instruct (the base model of the pool that ships), HuggingFaceTB, Apache-2.0,
  https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct
- all-MiniLM-L6-v2 (the retriever), sentence-transformers, Apache-2.0,
  https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2

The text of the Apache License 2.0 is in LICENSE. The experts were trained for Gander; what each was trained on, and under
which licence that is, stands on its card (\`models/*/experts/*/README.md\`). All of Gosling was, too: what on, and under
which licences, stands in \`models/gosling-moe/training.json\`.

## onnx.proto

src/graph/onnx.proto and what is generated from it: ONNX, the Linux Foundation, Apache-2.0, https://github.com/onnx/onnx
`;

await main(async () => {
  const notices = (await bundled()).map(notice).sort();
  const head = '# Third-party notices\n\nGander contains these works of others. Written by `npm run notices`.\n';
  writeFileSync(path.join(root, 'THIRD_PARTY_NOTICES.md'), [head, ...notices, weights].join('\n'));
  say(`THIRD_PARTY_NOTICES.md: ${notices.length} packages and the weights`);
  return 0;
});
