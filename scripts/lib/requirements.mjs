// What this machine must already have: Node (for everything) and a Rust toolchain (to build the
// addon). A missing or too old tool ends the script with a message that says what to install.

import { readFileSync } from 'node:fs';
import { inRoot } from './root.mjs';
import { run } from './run.mjs';
import { Stop } from './say.mjs';

const older = (version, floor) => {
  const [a, b] = [version, floor].map((text) => text.split('.').map(Number));
  for (let i = 0; i < b.length; i++) {
    if ((a[i] ?? 0) !== b[i]) return (a[i] ?? 0) < b[i];
  }
  return false;
};

/** Checks the Node that runs this script against package.json's `engines`. */
export function requireNode() {
  const { engines } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
  const floor = engines.node.replace('>=', '').trim();
  if (older(process.versions.node, floor)) {
    throw new Stop(
      `Node.js ${floor} or newer is needed, this is ${process.versions.node}. Install it from nodejs.org.`,
    );
  }
}

/**
 * Checks that Cargo is there and as new as the workspace's `rust-version`. Returns what `rustc -vV`
 * prints.
 */
export async function requireRust() {
  const floor = /^rust-version = "([\d.]+)"/m.exec(readFileSync(inRoot('Cargo.toml'), 'utf8'))[1];
  const advice = `Rust ${floor} or newer builds the native addon. Install it with rustup (rustup.rs), then run this again.`;
  let compiler;
  try {
    await run('cargo', ['--version']);
    compiler = await run('rustc', ['-vV']);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new Stop(`\`${error.path}\` is not on the PATH. ${advice}`);
  }
  const version = /^release: (\d+\.\d+\.\d+)/m.exec(compiler.output)?.[1];
  if (compiler.code !== 0 || version === undefined) {
    throw new Stop(`\`rustc -vV\` failed:\n${compiler.output}\n${advice}`);
  }
  if (older(version, floor))
    throw new Stop(`This is Rust ${version}. ${advice} (\`rustup update\` brings the newest.)`);
  return compiler.output;
}
