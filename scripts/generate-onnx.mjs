// Writes src/graph/onnx_pb.ts from src/graph/onnx.proto (from the onnx Python package, Apache-2.0). Run after changing the proto.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const template = {
  version: 'v2',
  plugins: [{ local: 'protoc-gen-es', out: 'src/graph', opt: ['target=ts', 'import_extension=js'] }],
};
execFileSync('npx', ['buf', 'generate', 'src/graph', '--template', JSON.stringify(template)], {
  cwd: root,
  stdio: 'inherit',
});
