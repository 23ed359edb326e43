// Makes one file of the compiled package, `lib/cenote.js`, and the entries that load it.
//
// A thread that uses Cenote reads two files instead of seventy, which is most of what a start costs.
// All entries share that file, so a thread has one instance of everything, whatever it loads. Each
// of its modules is evaluated when an entry first needs it: a worker's thread evaluates nothing of
// the pool's side.
//
// The bundle lies one folder deep, as the modules in it do that look for files of the package
// (`../worker/main.js`, `../native/binding.js`): so these paths hold in it and outside of it. Names
// stay as they are, for stack traces and profiles.

import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stop } from './say.mjs';

const kBundle = 'lib/cenote.js';
/** What the bundle is asked for, and the compiled file that answers. */
const kParts = { index: './index.js', piscina: './piscina.js', worker: './worker/main.js' };

const kBanner = `'use strict';
// All code of the package in one file; each module is evaluated when it is first needed.`;

/** The entries in place of those compiled. */
const entries = {
  'index.js': (names) => `'use strict';
// The entry for \`require\`. The last line is never run; \`import\` reads the names in it.
const { index } = require('./${kBundle}');
module.exports = index;
0 && (module.exports = { ${names.join(', ')} });
`,
  'piscina.js': () => `'use strict';
// The entry for \`require\`: the class itself.
module.exports = require('./${kBundle}').piscina;
`,
  'worker/main.js': () => `'use strict';
// What a worker thread of a pool runs first: asked for, that part begins.
require('../${kBundle}').worker;
`,
};

/** The addon's loader finds binaries beside itself, so it stays a file of its own. */
const nativeApart = {
  name: 'native-apart',
  setup(build) {
    build.onResolve({ filter: /\/native\/binding\.js$/ }, ({ path, importer }) =>
      path === '../native/binding.js' && /[\\/]wait[\\/]native\.js$/.test(importer)
        ? { path, external: true }
        : { errors: [{ text: `${importer} loads the addon; only wait/native.js may` }] },
    );
  },
};

/** Bundles what the compiler wrote to `folder`, there. */
export async function bundle(folder) {
  // Only now: the set-up installs it.
  const { build, stop } = await import('esbuild');
  const getters = Object.entries(kParts).map(
    ([name, file]) => `  get ${name}() {\n    return require('${file}');\n  },\n`,
  );
  try {
    await build({
      stdin: {
        contents: `module.exports = {\n${getters.join('')}};`,
        resolveDir: folder,
        sourcefile: 'entry.js',
      },
      // The bundle names its modules by their paths from here.
      absWorkingDir: folder,
      outfile: join(folder, kBundle),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      legalComments: 'none',
      banner: { js: kBanner },
      plugins: [nativeApart],
      logLevel: 'silent',
    });
  } catch (error) {
    throw new Stop(`the package could not be bundled:\n${error.message}`);
  } finally {
    await stop();
  }
  const text = readFileSync(join(folder, kBundle), 'utf8');
  if (text.includes(folder)) throw new Stop(`the bundle names the folder it was made in`);
  const names = Object.keys(createRequire(import.meta.url)(join(folder, kBundle)).index);
  for (const [file, contents] of Object.entries(entries))
    writeFileSync(join(folder, file), contents(names.sort()));
}
