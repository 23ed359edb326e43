// What a user gets: the packed tarballs, installed in an empty folder without Rust and without a
// network, work from CommonJS, from ESM and from TypeScript; and they hold nothing that has no
// business there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { install, packCheckout, root } from './fixture.mjs';

const run = promisify(execFile);
let tarballs;
let app;

before(async () => {
  tarballs = await packCheckout();
  app = await install(tarballs);
});
after(() => app?.remove());

const filesUnder = (dir) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

const packageDir = (name) => join(app.folder, 'node_modules', name);
const packages = () =>
  readdirSync(join(app.folder, 'node_modules')).filter((name) => name.startsWith('cenote'));
const platformPackages = () => packages().filter((name) => name !== 'cenote');

const useIt = `
  const pool = new Pool({ filename: FILENAME, minThreads: 1, maxThreads: 1 });
  const result = await pool.run({ n: 20 });
  await pool.close();
  console.log(JSON.stringify(result));
`;

const mainCjs = `
  const { Pool } = require('cenote');
  const FILENAME = require('node:path').join(__dirname, 'task.cjs');
  (async () => { ${useIt} })();
`;

describe('an install of the packed tarballs', () => {
  it('has no cargo to fall back on', async () => {
    const look =
      "require('child_process').spawnSync('cargo', ['--version']).error?.code ?? 'found'";
    const { stdout } = await app.node('-p', look);
    assert.equal(stdout.trim(), 'ENOENT');
  });

  it("runs a task from require('cenote')", async () => {
    app.write('task.cjs', 'module.exports = ({ n }) => ({ n: n + 1 });\n');
    app.write('main.cjs', mainCjs);
    const { stdout, stderr } = await app.node('main.cjs');
    assert.deepEqual(JSON.parse(stdout), { n: 21 });
    assert.equal(stderr, '', 'no warning: the addon of the platform package was found');
  });

  it("runs a task from import 'cenote'", async () => {
    app.write('task.mjs', 'export default async ({ n }) => ({ n: n + 2 });\n');
    app.write(
      'main.mjs',
      `import Default, { Pool } from 'cenote';
       if (Default !== Pool) throw new Error('the default export is not Pool');
       const FILENAME = new URL('./task.mjs', import.meta.url);
       ${useIt}`,
    );
    const { stdout, stderr } = await app.node('main.mjs');
    assert.deepEqual(JSON.parse(stdout), { n: 22 });
    assert.equal(stderr, '', 'no warning: the addon of the platform package was found');
  });

  it('is one instance, however it is loaded', async () => {
    app.write(
      'both.mjs',
      `import { createRequire } from 'node:module';
       import { Pool } from 'cenote';
       console.log(createRequire(import.meta.url)('cenote').Pool === Pool);`,
    );
    const { stdout } = await app.node('both.mjs');
    assert.equal(stdout.trim(), 'true');
  });

  it('is two files to a worker, and one instance if its code loads the package too', async () => {
    app.write(
      'instances.cjs',
      `const files = () => Object.keys(require.cache).filter((file) => /cenote.dist/.test(file));
       module.exports = () => {
         const before = files();
         const cenote = require('cenote');
         const Piscina = require('cenote/piscina');
         const shared = files().filter((file) => file.endsWith('shared.js'));
         return [before.length, shared.length, cenote.move === Piscina.move,
           Piscina.isWorkerThread];
       };`,
    );
    app.write('instances-main.cjs', mainCjs.replace("'task.cjs'", "'instances.cjs'"));
    const { stdout } = await app.node('instances-main.cjs');
    assert.deepEqual(JSON.parse(stdout), [2, 1, true, true]);
  });

  it('exports the same names to both module systems, and Pool as the ESM default', async () => {
    app.write(
      'names.mjs',
      `import { createRequire } from 'node:module';
       import * as esm from 'cenote';
       const cjs = createRequire(import.meta.url)('cenote');
       const names = Object.keys(esm).filter((name) => name !== 'default');
       console.log(JSON.stringify([Object.keys(cjs).sort(), names.sort()]));`,
    );
    const { stdout } = await app.node('names.mjs');
    const [cjs, esm] = JSON.parse(stdout);
    assert.ok(cjs.includes('Pool'));
    assert.deepEqual(esm, cjs);
  });

  it('gives types to a CommonJS and to an ESM consumer', async () => {
    const use =
      "const pool: Pool = new Pool({ filename: 'task.cjs', maxThreads: 2 });\nexport const done: Promise<unknown> = pool.run(1);\n";
    app.write('consumer.cts', `import { Pool } from 'cenote';\n${use}`);
    app.write(
      'consumer.mts',
      `import Default, { Pool } from 'cenote';\nexport const same: typeof Pool = Default;\n${use}`,
    );
    // Without these two a declaration that resolved to nothing would pass as `any`.
    app.write('wrong.cts', "import { Pool } from 'cenote';\nnew Pool(1);\n");
    app.write('wrong.mts', "import { Pool } from 'cenote';\nnew Pool(1);\n");
    const tsc = (...files) =>
      run(process.execPath, [
        ...[
          join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
          '--noEmit',
          '--strict',
          '--ignoreConfig',
        ],
        ...['--module', 'node16', '--target', 'es2022', '--lib', 'es2023,esnext.disposable'],
        ...['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'],
        ...files.map((file) => join(app.folder, file)),
      ]);
    await tsc('consumer.cts', 'consumer.mts');
    for (const file of ['wrong.cts', 'wrong.mts']) {
      await assert.rejects(tsc(file), (error) => error.stdout.includes(`${file}(2,`));
    }
  });

  it('names exactly the platform packages it was packed with, in its own version', () => {
    const manifest = JSON.parse(readFileSync(join(packageDir('cenote'), 'package.json'), 'utf8'));
    const packed = tarballs
      .map((file) => file.split(/[\\/]/).at(-1))
      .filter((name) => name !== `cenote-${manifest.version}.tgz`);
    const { '@napi-rs/nice': nice, ...platforms } = manifest.optionalDependencies;
    assert.match(nice, /^\d+\.\d+\.\d+$/, 'what niceIncrement needs is pinned');
    const named = Object.entries(platforms).map(([name, version]) => `${name}-${version}.tgz`);
    assert.ok(named.length > 0);
    assert.deepEqual(named.sort(), packed.sort());
    for (const version of Object.values(platforms)) assert.equal(version, manifest.version);
  });

  it('runs no script on install', () => {
    for (const name of packages()) {
      const { scripts } = JSON.parse(readFileSync(join(packageDir(name), 'package.json'), 'utf8'));
      assert.equal(scripts, undefined, name);
    }
  });

  it('has the binary in the platform package only', () => {
    const binaries = (name) =>
      filesUnder(packageDir(name)).filter((file) => file.endsWith('.node'));
    assert.deepEqual(binaries('cenote'), []);
    assert.ok(platformPackages().length > 0);
    for (const name of platformPackages()) assert.equal(binaries(name).length, 1, name);
  });

  it('has bundled code, declarations, texts, and nothing else', () => {
    const expected =
      /^(package\.json|README\.md|CHANGELOG\.md|LICENSE-(MIT|APACHE)|docs\/[\w-]+\.md|dist\/.+\.(js|mjs|d\.ts|d\.mts))$/;
    const own = packageDir('cenote');
    const names = filesUnder(own).map((file) => file.slice(own.length + 1).replaceAll('\\', '/'));
    for (const name of names) assert.match(name, expected);
    assert.deepEqual(names.filter((name) => /\.m?js$/.test(name)).sort(), [
      ...['dist/index.js', 'dist/index.mjs'],
      ...['dist/lib/parser.js', 'dist/lib/pool.js', 'dist/lib/shared.js'],
      ...['dist/native/binding.js', 'dist/piscina.js', 'dist/piscina.mjs'],
      ...['dist/worker/exec.js', 'dist/worker/main.js'],
    ]);
    for (const name of platformPackages()) {
      const dir = packageDir(name);
      for (const file of filesUnder(dir)) {
        assert.match(
          file.slice(dir.length + 1),
          /^(package\.json|README\.md|LICENSE-(MIT|APACHE)|cenote\.[\w-]+\.node)$/,
        );
      }
    }
    assert.ok(filesUnder(own).some((file) => file.endsWith('README.md')));
  });

  it('says nothing of the machine it was built on', () => {
    const traces = [root, homedir(), process.env.CARGO_HOME].filter(
      (path) => path !== undefined && path.length > 1,
    );
    for (const name of packages()) {
      for (const file of filesUnder(packageDir(name))) {
        const content = readFileSync(file);
        for (const trace of traces)
          assert.equal(content.indexOf(`${trace}/`), -1, `${file} contains ${trace}`);
      }
    }
  });
});

describe('an install on a platform that has no binary', () => {
  it('works on the portable waiter, and says so once', async () => {
    // Without its tarball the platform package cannot be had, as on a platform that none was packed
    // for.
    const bare = await install(
      tarballs.filter((file) => !platformPackages().some((name) => file.includes(`${name}-`))),
    );
    try {
      bare.write('task.cjs', 'module.exports = ({ n }) => ({ n: n + 1 });\n');
      bare.write('main.cjs', mainCjs);
      const { stdout, stderr } = await bare.node('main.cjs');
      assert.deepEqual(JSON.parse(stdout), { n: 21 });
      assert.equal(stderr.match(/CENOTE_PORTABLE_WAIT/g)?.length, 1, stderr);
    } finally {
      bare.remove();
    }
  });
});
