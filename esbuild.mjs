// Builds what ships into dist/ or `--out=DIR`. `--production` minifies and leaves source maps out.
import * as esbuild from 'esbuild';
import { bundlesFor, clean } from './scripts/lib/bundles.mjs';

const purpose = process.argv.includes('--production') ? 'package' : 'work';
const out = process.argv.find((a) => a.startsWith('--out='))?.slice(6);

clean(out);
try {
  await Promise.all(bundlesFor(purpose, out).map((bundle) => esbuild.build(bundle)));
} catch {
  process.exit(1); // esbuild has said why
}
