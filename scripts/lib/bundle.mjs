// Makes of the compiled package the five files that are published in place of seventy, because to
// find and read so many is about half of what it costs a thread to load the package:
//
//   worker/main.js   the worker's side; a worker thread runs it first
//   worker/exec.js   the handler of `exec()`; a worker loads it with the first such task
//   lib/pool.js      the owner's side, of both entries
//   lib/shared.js    what both sides need
//   lib/parser.js    the parser of `exec()`, which is acorn; its first call loads it
//
// No module is in two of them, so a thread has one instance of everything, whatever it loads. Each
// module is evaluated when it is first needed.
//
// All of them lie one folder deep, as the modules in them do that look for files of the package
// (`../worker/main.js`, `../native/binding.js`): so these paths hold inside and outside of bundles.
// Names stay as they are, for stack traces and profiles.

import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Stop } from './say.mjs';

const kShared = 'lib/shared.js';
const kPool = 'lib/pool.js';
const kWorker = 'worker/main.js';
const kExec = 'worker/exec.js';
const kParser = 'lib/parser.js';

/** The bundles, in the order in which they may be put into place: each after what it loads. */
export const bundles = [kShared, kParser, kPool, kExec, kWorker];

/** The entries in place of those compiled. */
const entries = {
  'index.js': (names) => `'use strict';
// The entry for \`require\`. The last line is never run; \`import\` reads the names in it.
const { index } = require('./${kPool}');
module.exports = index;
0 && (module.exports = { ${names.join(', ')} });
`,
  'piscina.js': () => `'use strict';
// The entry for \`require\`: the class itself.
module.exports = require('./${kPool}').piscina;
`,
};

const slashed = (path) => path.replaceAll('\\', '/');
const getter = (name, file) =>
  `  get ${JSON.stringify(name)}() { return require('./${file}'); },\n`;
const exported = (files) =>
  `module.exports = {\n${files.map(([name, file]) => getter(name, file)).join('')}};`;

/** Bundles what the compiler wrote to `folder`, there. */
export async function bundle(folder) {
  // Only now: the set-up installs it.
  const esbuild = await import('esbuild');
  const build = (contents, plugins, more) =>
    esbuild.build({
      stdin: { contents, resolveDir: folder, sourcefile: 'entry.js' },
      // A bundle names its modules by their paths from here.
      absWorkingDir: folder,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      legalComments: 'none',
      logLevel: 'silent',
      plugins: [nativeApart, ...plugins],
      ...more,
    });
  const write = (file, about, contents, plugins = []) =>
    build(contents, plugins, {
      outfile: join(folder, file),
      allowOverwrite: true,
      banner: { js: `'use strict';\n// ${about}` },
    });
  const modulesOf = async (contents) => {
    const { metafile } = await build(contents, [], { metafile: true, write: false });
    return Object.keys(metafile.inputs).filter((file) => file !== 'entry.js');
  };

  const acorn = createRequire(import.meta.url).resolve('acorn');
  const licence = readFileSync(join(acorn, '..', '..', 'LICENSE'), 'utf8');
  const pool = exported([
    ['index', 'index.js'],
    ['piscina', 'piscina.js'],
  ]);
  const worker = `require('./${kWorker}');`;
  try {
    const ofWorker = new Set(await modulesOf(worker));
    const shared = (await modulesOf(pool)).filter((file) => ofWorker.has(file));
    const apart = sharedApart(folder, new Set(shared));
    await write(kShared, 'What both sides of the package need.', exported(shared.map(twice)));
    await write(kPool, 'The side of the thread that makes a pool.', pool, [apart]);
    const exec = `module.exports = require('./${kExec}');`;
    await write(kExec, 'What runs the functions of `exec()` in a worker.', exec, [apart]);
    await build(`module.exports = { parse: require(${JSON.stringify(acorn)}).parse };`, [], {
      outfile: join(folder, kParser),
      minifySyntax: true,
      minifyWhitespace: true,
      banner: {
        js: `'use strict';\n/*! acorn, which parses the functions of \`exec()\`.\n${licence}*/`,
      },
    });
    await write(kWorker, 'What a worker thread of a pool runs first.', worker, [apart]);
  } catch (error) {
    throw new Stop(`the package could not be bundled:\n${error.message}`);
  } finally {
    await esbuild.stop();
  }
  for (const file of bundles) {
    if (readFileSync(join(folder, file), 'utf8').includes(folder))
      throw new Stop(`${file} names the folder that it was made in`);
  }
  const { index } = createRequire(import.meta.url)(join(folder, kPool));
  for (const [file, contents] of Object.entries(entries))
    writeFileSync(join(folder, file), contents(Object.keys(index).sort()));
}

const twice = (file) => [file, file];

/** The addon's loader finds binaries beside itself, so it stays a file of its own. */
const nativeApart = {
  name: 'native-apart',
  setup(build) {
    build.onResolve({ filter: /\/(native\/binding|lib\/parser)\.js$/ }, ({ path }) =>
      path === '../native/binding.js' || path === '../lib/parser.js'
        ? { path, external: true }
        : { errors: [{ text: `${path} would be another file in a bundle` }] },
    );
  },
};

/** Takes these modules, named by their paths in `folder`, from the shared bundle. */
const sharedApart = (folder, modules) => ({
  name: 'shared-apart',
  setup(build) {
    build.onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
      const file = slashed(relative(folder, resolve(resolveDir, path)));
      return modules.has(file) ? { path: file, namespace: 'shared' } : undefined;
    });
    build.onResolve({ filter: /^shared$/, namespace: 'shared' }, () => ({
      path: `../${kShared}`,
      external: true,
    }));
    build.onLoad({ filter: /./, namespace: 'shared' }, ({ path }) => ({
      contents: `module.exports = require('shared')[${JSON.stringify(path)}];`,
    }));
  },
});
