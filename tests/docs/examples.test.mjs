// Every JavaScript example of the documentation runs, and prints what the page says.
//
// The files of a section are written into a folder of their own, where `cenote` and the other pools
// resolve, and each of its programs runs there in a process of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pages, programs, read, sections } from './support/pages.mjs';

/** Far above what an example needs. */
const kExampleMs = 60_000;
const root = fileURLToPath(new URL('../../', import.meta.url));
const peers = ['piscina', 'tinypool', 'workerpool', 'poolifier', 'jest-worker', 'synckit'];

const top = mkdtempSync(join(tmpdir(), 'cenote-docs-'));
after(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }));
mkdirSync(join(top, 'node_modules'));
symlinkSync(root, join(top, 'node_modules', 'cenote'), 'junction');
for (const one of [...peers, '@opentelemetry', 'cockatiel', 'opossum']) {
  symlinkSync(join(root, 'node_modules', one), join(top, 'node_modules', one), 'junction');
}

/** Runs a program: what it wrote, and how it ended. */
function run(folder, name) {
  return new Promise((resolve, reject) => {
    // As if it were started from a shell: a runner's child would report to the runner.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const child = spawn(process.execPath, [name], {
      cwd: folder,
      env,
      timeout: kExampleMs,
      killSignal: 'SIGKILL',
    });
    const written = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8').on('data', (text) => (written[stream] += text));
    }
    child
      .on('error', reject)
      .on('close', (code, signal) => resolve({ ...written, end: code ?? signal }));
  });
}

/** The packages that a file imports or requires. */
function packages(code) {
  const specifiers = code.matchAll(/(?:\bfrom |\bimport |\bimport\(|\brequire\()'([^'.][^']*)'/g);
  return Array.from(specifiers, ([, specifier]) => specifier.split('/')[0]);
}

let count = 0;
for (const page of pages) {
  describe(page, () => {
    for (const section of sections(page)) {
      const scripts = section.blocks.filter(({ mark }) => mark === 'file' || mark === 'run');
      if (scripts.length === 0) continue;
      const folder = join(top, String(count++));
      mkdirSync(folder);
      for (const { name, code } of scripts) writeFileSync(join(folder, name), code);

      const found = programs(section);
      it(`"${section.heading}" has a program for its files`, () => {
        assert.ok(found.length > 0);
        const names = scripts.map(({ name }) => name);
        assert.deepEqual(names, [...new Set(names)], 'each file once');
        for (const name of names) assert.equal(dirname(name), '.', 'next to the programs');
      });
      for (const { name, prints } of found) {
        it(`"${section.heading}": ${name}`, async () => {
          const { stdout, stderr, end } = await run(folder, name);
          assert.equal(stdout, prints, stderr);
          assert.equal(end, 0, stderr);
        });
      }
      for (const { name, code } of scripts.filter((one) => /^(before|after)\b/.test(one.name))) {
        it(`"${section.heading}": ${name} uses the pool that it is about`, () => {
          const used = packages(code).filter((one) => one === 'cenote' || peers.includes(one));
          const ours = used.filter((one) => one === 'cenote');
          assert.deepEqual(
            used,
            name.startsWith('after') ? ours : used.filter((one) => peers.includes(one)),
          );
          if (found.some((program) => program.name === name))
            assert.ok(used.length > 0, 'a pool is imported');
        });
      }
    }

    it('every JavaScript block is marked, and every program says what it prints', () => {
      for (const section of sections(page)) programs(section);
    });

    it('its links within the page and to other files lead somewhere', () => {
      const anchor = (heading) =>
        heading
          .toLowerCase()
          .replace(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-');
      for (const [, link] of read(page).matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
        const [path, fragment] = link.split('#');
        const file = fileURLToPath(
          new URL(path === '' ? page : path, new URL('../../docs/', import.meta.url)),
        );
        assert.ok(existsSync(file), link);
        if (fragment !== undefined && file.startsWith(join(root, 'docs'))) {
          const target = path === '' ? page : path;
          assert.ok(
            sections(target).some(({ heading }) => anchor(heading) === fragment),
            link,
          );
        }
      }
    });
  });
}
