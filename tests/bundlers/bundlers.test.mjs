// Programs that are bundled as docs/bundlers.md says run, and one that has Cenote in its bundle
// says what to do.
//
// Each section of the page is tried in a folder of its own: the files of the page, then the
// commands of the section. Before the last of them, which runs what was built, everything else is
// removed.

import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inRoot, root } from '../../scripts/lib/root.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { noTuning } from '../../scripts/lib/runners.mjs';
import { sections } from '../docs/support/pages.mjs';
import { installBundlers, load, path } from './tools.mjs';

/** Far above what a command needs. */
const kCommandMs = 60_000;

const top = mkdtempSync(join(tmpdir(), 'cenote-bundlers-'));
after(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }));
before(installBundlers);

/** A folder with these files, whose content lies beside their names. */
function folderOf(files) {
  const folder = mkdtempSync(join(top, 'program-'));
  for (const [name, code] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), code);
  }
  mkdirSync(join(folder, 'node_modules'));
  return folder;
}

/** Runs a command line of the page; what it wrote. */
async function shell(line, cwd) {
  // The Node that runs this comes first, and `npx` would only look for what the PATH has.
  const env = { ...noTuning, PATH: `${dirname(process.execPath)}${delimiter}${path}` };
  const command = line.replace(/^npx /, '');
  const { code, output, timedOut } = await run('sh', ['-c', command], {
    cwd,
    env,
    limitMs: kCommandMs,
  });
  assert.ok(!timedOut, `${line} hung:\n${output}`);
  assert.equal(code, 0, `${line}:\n${output}`);
  return output;
}

const page = sections('bundlers.md');
const blocksOf = ({ blocks }, ...marks) =>
  Object.fromEntries(
    blocks.filter(({ mark }) => marks.includes(mark)).map(({ name, code }) => [name, code]),
  );

describe('docs/bundlers.md', () => {
  const program = page.find(({ heading }) => heading === 'The program');
  const files = blocksOf(program, 'file', 'run');
  const prints = program.blocks.find(({ language }) => language === 'text').code;
  const tried = page.filter(({ blocks }) => blocks.some(({ language }) => language === 'sh'));

  it('has commands for each of the bundlers that are installed here', () => {
    const commands = tried.flatMap(({ blocks }) => blocks.map(({ code }) => code)).join('');
    for (const name of ['esbuild', 'webpack', 'rollup', 'vite', 'tsup', 'ncc'])
      assert.match(commands, new RegExp(`^npx ${name}\\b`, 'm'));
  });

  for (const section of tried) {
    it(`"${section.heading}": what is built runs on its own`, async () => {
      const folder = folderOf({ ...files, ...blocksOf(section, 'config') });
      symlinkSync(root, join(folder, 'node_modules', 'cenote'), 'junction');
      const { code } = section.blocks.find(({ language }) => language === 'sh');
      const lines = code.trim().split('\n');
      const last = lines.pop();
      for (const line of lines) await shell(line, folder);
      for (const name of readdirSync(folder)) {
        if (!['out', 'node_modules', 'package.json'].includes(name))
          rmSync(join(folder, name), { recursive: true });
      }
      assert.equal(await shell(last, folder), prints);
    });
  }
});

describe('a bundle that has Cenote in it', () => {
  const main = (entry) => `import { Pool } from '${entry}';
    try {
      new Pool();
    } catch ({ name, code, message }) {
      console.log(JSON.stringify({ name, code, message }));
    }`;
  const webpack = `export default { mode: 'production', target: 'node20', entry: './main.js',
    output: { path: process.cwd() + '/out', filename: 'main.cjs' } };`;
  const vite = `export default { ssr: { noExternal: true },
    build: { ssr: 'main.js', outDir: 'out' } };`;

  /** A program with a copy of the package, as it is where no package for the platform is there. */
  function programOf(files) {
    const folder = folderOf({ 'package.json': '{ "type": "module" }', ...files });
    const copy = join(folder, 'node_modules', 'cenote');
    cpSync(inRoot('dist'), join(copy, 'dist'), {
      recursive: true,
      filter: (name) => !name.endsWith('.node'),
    });
    cpSync(inRoot('package.json'), join(copy, 'package.json'));
    return folder;
  }

  async function refusal(folder, build, file) {
    await shell(build, folder);
    const output = await shell(`node ${file}`, folder);
    assert.equal(output.trim().split('\n').length, 1, output);
    const error = JSON.parse(output);
    assert.equal(error.name, 'CenoteError');
    assert.equal(error.code, 'ERR_CENOTE_BUNDLED');
    for (const remedy of [
      'esbuild --external:cenote',
      "webpack externals: { cenote: 'commonjs cenote' }",
      "Rollup external: ['cenote']",
      "Vite ssr.external: ['cenote']",
      "Next serverExternalPackages: ['cenote']",
      'ncc --external cenote',
    ])
      assert.ok(error.message.includes(remedy), error.message);
    return error.message;
  }

  const esbuild = 'esbuild main.js --bundle --platform=node --log-level=error';

  for (const entry of ['cenote', 'cenote/piscina']) {
    it(`is told so by new Pool(): esbuild, ${entry}`, async () => {
      const code = main(entry).replace('{ Pool }', entry === 'cenote' ? '{ Pool }' : 'Pool');
      const folder = programOf({ 'main.js': code });
      const message = await refusal(folder, `${esbuild} --outfile=out/main.cjs`, 'out/main.cjs');
      assert.ok(message.includes(join('worker', 'main.js')), message);
    });
  }

  it('is told so as an ES module with a require of its own: esbuild', async () => {
    const banner = `import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);`;
    const folder = programOf({ 'main.js': main('cenote'), 'banner.txt': banner });
    const build = `${esbuild} --format=esm --outfile=out/main.js "--banner:js=$(cat banner.txt)"`;
    await refusal(folder, build, 'out/main.js');
  });

  it('is told so: webpack', async () => {
    const folder = programOf({ 'main.js': main('cenote'), 'webpack.config.js': webpack });
    await refusal(folder, 'webpack', 'out/main.cjs');
  });

  it('is told so: Vite', async () => {
    const folder = programOf({ 'main.js': main('cenote'), 'vite.config.js': vite });
    await refusal(folder, 'vite build', 'out/main.js');
  });

  it('is told so beside a worker/main.js of its own', async () => {
    const folder = programOf({ 'main.js': main('cenote'), 'worker/main.js': '// Another.\n' });
    await refusal(folder, `${esbuild} --outfile=out/main.cjs`, 'out/main.cjs');
  });
});

it('a tool that copies what a program needs sees the file that worker threads run', async () => {
  const { nodeFileTrace } = load('@vercel/nft');
  const folder = folderOf({ 'main.mjs': "import 'cenote';" });
  symlinkSync(root, join(folder, 'node_modules', 'cenote'), 'junction');
  const { fileList } = await nodeFileTrace([join(folder, 'main.mjs')], { base: '/' });
  const seen = [...fileList].filter((name) => name.endsWith(join('dist', 'worker', 'main.js')));
  assert.equal(seen.length, 1, [...fileList].join('\n'));
});
