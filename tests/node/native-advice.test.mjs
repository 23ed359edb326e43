// Why the addon did not load: the warning names the true reason and says what to do. Each case runs
// in a process of its own.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { fixture, runProgram, watched } from './support/behaviour.mjs';

const require = createRequire(import.meta.url);
const dist = dirname(require.resolve('cenote'));
const { kPlatforms } = require(join(dist, 'wait', 'advice.js'));
const { napi } = JSON.parse(readFileSync(join(dist, '..', 'package.json'), 'utf8'));

/** The binary of this platform, as a checkout has it, and the package that an install has. */
const binary = readdirSync(join(dist, 'native')).find((name) => name.endsWith('.node'));
const platformPackage = binary.replace(/^cenote\.(.+)\.node$/, 'cenote-$1');

/** Makes a pool of the package in a folder, prints a task's result, and the warnings that came. */
const program = (folder) => `
  import { createRequire } from 'node:module';
  const { Pool } = createRequire(import.meta.url)(${JSON.stringify(join(folder, 'index.js'))});
  const warnings = [];
  process.on('warning', ({ code, message }) => {
    if (code === 'CENOTE_PORTABLE_WAIT') warnings.push(message);
  });
  const pool = new Pool({ filename: ${JSON.stringify(fixture('tasks.cjs'))}, maxThreads: 1 });
  const result = await pool.run('ran');
  await pool.close();
  console.log(JSON.stringify({ result, warnings }));
`;

/** The one warning of a process. */
async function warning({ folder = dist, args = [], env = {} } = {}) {
  const { code, stdout, stderr } = await runProgram(program(folder), {
    args,
    env: { CENOTE_FORCE_PORTABLE: undefined, NODE_OPTIONS: undefined, ...env },
  });
  assert.equal(code, 0, stderr);
  const { result, warnings } = JSON.parse(stdout);
  assert.equal(result, 'ran');
  assert.equal(warnings.length, 1, warnings.join('\n'));
  assert.doesNotMatch(warnings[0], /\n/, 'one line');
  assert.doesNotMatch(warnings[0], /npm has a bug|4828/);
  assert.match(warnings[0], /All guarantees hold, but a hop costs tens of microseconds\.$/);
  return warnings[0];
}

/** A copy of the package's code, changed, that goes with the test. */
function copy(t, change) {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-advice-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(dist, join(folder, 'dist'), { recursive: true });
  change(join(folder, 'dist', 'native'), folder);
  return join(folder, 'dist');
}

test('--no-addons: the flag is named', watched, async () => {
  for (const flag of ['--no-addons', '--no_addons'])
    assert.match(await warning({ args: [flag] }), /started with --no-addons\. Start it without/);
});

test('--no-addons in NODE_OPTIONS: the variable is named', watched, async () => {
  const env = { NODE_OPTIONS: '--no-deprecation  --no-addons' };
  assert.match(await warning({ env }), /NODE_OPTIONS has --no-addons\. Leave it out/);
});

// Its name has changed; the option to allow addons came later than the model itself.
const allowed = process.allowedNodeEnvironmentFlags;
const permission = ['--permission', '--experimental-permission'].find((flag) => allowed.has(flag));

test('the permission model: the option that allows addons is named', watched, async (t) => {
  if (permission === undefined || !allowed.has('--allow-addons')) return t.skip('no such options');
  const args = [permission, '--allow-fs-read=*', '--allow-worker'];
  assert.match(await warning({ args }), /permission model forbids addons\..* --allow-addons /);
});

test('the permission model that allows addons warns of nothing', watched, async (t) => {
  if (permission === undefined || !allowed.has('--allow-addons')) return t.skip('no such options');
  const args = [permission, '--allow-fs-read=*', '--allow-worker', '--allow-addons'];
  const env = { CENOTE_FORCE_PORTABLE: undefined };
  const { code, stdout, stderr } = await runProgram(program(dist), { args, env });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { result: 'ran', warnings: [] });
});

test('code without its folder of natives: the bundler is to leave it alone', watched, async (t) => {
  const folder = copy(t, (native) => rmSync(native, { recursive: true }));
  assert.match(await warning({ folder }), /a bundle.*Mark "cenote" as external/);
});

test('a bundle with the loader in it: the same', watched, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-bundle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // A worker's files are bundled apart, as a bundler's user does who wants them inside.
  await build({
    entryPoints: {
      index: join(dist, 'index.js'),
      'worker/main': join(dist, 'worker', 'main.js'),
    },
    outdir: join(folder, 'app', 'out'),
    bundle: true,
    platform: 'node',
    external: ['@napi-rs/nice', 'cenote-*', '*.node'],
    logLevel: 'error',
  });
  // The bundled entry looks for `../worker/main.js`, where its own folder was.
  cpSync(join(folder, 'app', 'out', 'worker'), join(folder, 'app', 'worker'), { recursive: true });
  assert.match(
    await warning({ folder: join(folder, 'app', 'out') }),
    /a bundle.*Mark "cenote" as external/,
  );
});

test('no package for this platform is installed: it is named', watched, async (t) => {
  const folder = copy(t, (native) => rmSync(join(native, binary)));
  const message = await warning({ folder });
  assert.match(message, new RegExp(`the package ${platformPackage} is not installed\\.`));
  assert.match(message, /Run npm install on this platform, with optional dependencies/);
});

test('the package of another platform is installed: both are named', watched, async (t) => {
  const other = `cenote-${kPlatforms.find((name) => `cenote-${name}` !== platformPackage)}`;
  const folder = copy(t, (native, root) => {
    rmSync(join(native, binary));
    mkdirSync(join(root, 'node_modules', other), { recursive: true });
    writeFileSync(join(root, 'node_modules', other, 'index.js'), '');
  });
  const message = await warning({ folder });
  assert.match(message, new RegExp(`${platformPackage} is not installed, but ${other} is\\.`));
});

test('a binary that the system refuses: what it says is passed on', watched, async (t) => {
  const folder = copy(t, (native) => writeFileSync(join(native, binary), 'not a library'));
  const message = await warning({ folder });
  assert.match(
    message,
    /the system refuses to load the addon \(.*cenote.*\)\. If node_modules comes from another/,
  );
});

test('a platform that no binary is made for is named', watched, async () => {
  const { stdout, stderr } = await runProgram(
    `
    import { createRequire } from 'node:module';
    Object.defineProperty(process, 'platform', { value: 'sunos' });
    const require = createRequire(import.meta.url);
    const { whyNotLoaded } = require(${JSON.stringify(join(dist, 'wait', 'advice.js'))});
    console.log(whyNotLoaded(new Error('npm has a bug')));
  `,
    { env: { NODE_OPTIONS: undefined } },
  );
  assert.equal(stdout, `cenote has no binary for sunos-${process.arch}\n`, stderr);
});

test('the advice knows just the platforms that binaries are made for', watched, () => {
  const named = { gnu: 'linux', musl: 'linux', darwin: 'darwin', msvc: 'win32' };
  const made = napi.targets.map((target) => {
    const [cpu, , ...rest] = target.split('-');
    const kind = rest.at(-1);
    const arch = { x86_64: 'x64', aarch64: 'arm64' }[cpu];
    return `${named[kind]}-${arch}${kind === 'darwin' ? '' : `-${kind}`}`;
  });
  assert.deepEqual([...kPlatforms].sort(), made.sort());
});
