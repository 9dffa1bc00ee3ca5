#!/usr/bin/env node
// Starts Gander from the package of this platform, which npm has installed beside this one.
'use strict';

const name = `gander-${process.platform}-${process.arch}`;
try {
  require.resolve(`${name}/package.json`);
} catch {
  console.error(
    `gander: the package ${name} is not installed. Install gander again without --omit=optional; there is none for macOS on Intel and for Linux without glibc.`,
  );
  process.exit(1);
}
require(`${name}/dist/cli.cjs`);
