// Makes a checkout ready to run: npm packages, native addon, compiled TypeScript. Every step is skipped when its
// result is up to date, so that it costs well under a second before each `npm start`.
//
// Usage: node scripts/setup.mjs

import { buildAddon } from './lib/addon.mjs';
import { installPackages } from './lib/install.mjs';
import { requireNode, requireRust } from './lib/requirements.mjs';
import { main } from './lib/say.mjs';
import { buildTypeScript } from './lib/typescript.mjs';

await main(async () => {
  requireNode();
  const compiler = await requireRust();
  await installPackages();
  await buildAddon(compiler);
  await buildTypeScript();
});
