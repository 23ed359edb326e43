// Makes a checkout ready to run: npm packages, native addon, compiled TypeScript. Every step is
// skipped when its result is up to date, so that it costs well under a second before each command
// that needs it.

import { buildAddon } from './addon.mjs';
import { installLocked } from './install.mjs';
import { requireNode, requireRust } from './requirements.mjs';
import { root } from './root.mjs';
import { buildTypeScript } from './typescript.mjs';

/** Does whatever of the set-up is not done yet. */
export async function prepare() {
  requireNode();
  const compiler = await requireRust();
  await installLocked(root, 'the npm packages of the lock file');
  await buildAddon(compiler);
  await buildTypeScript();
}
