// Writes src/graph/onnx_pb.ts from src/graph/onnx.proto (from the onnx Python package, Apache-2.0). Run after changing the proto.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const template = {
  version: 'v2',
  plugins: [{ local: 'protoc-gen-es', out: 'src/graph', opt: ['target=ts', 'import_extension=js'] }],
};
// Fetched only when this runs: building Gander should not take a 90 MB compiler that needs Node 22.
const packages = ['--package=@bufbuild/buf@1.75.0', '--package=@bufbuild/protoc-gen-es@2.17.0'];
execFileSync('npx', ['--yes', ...packages, 'buf', 'generate', 'src/graph', '--template', JSON.stringify(template)], {
  cwd: root,
  stdio: 'inherit',
});
