// The README's table beside other pools says nothing that is not shown: a cell of ours by a test, a
// cell of a peer by what its package says or does.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { columns, declarations, rows, table } from './support/comparison.mjs';
import { probes } from './support/probes.mjs';

const read = (name) =>
  readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8').replaceAll('\r\n', '\n');
const ofPeer = (peer, file) => read(`node_modules/${peer}/${file}`);

/** How long a probe waits for what should come, and for what should not. */
const kComesMs = 30_000;
const kNeverMs = 2_000;
const kProbeMs = 120_000;

/** What a probe finds of a pool, in a process of its own: some leave workers that never end. */
async function found(probe, pool, patience) {
  const program = fileURLToPath(new URL('./support/probes.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, probe, pool, patience], {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    timeout: kProbeMs,
  });
  return stdout;
}

const peers = columns.filter(([column]) => column !== 'cenote');
const cells = rows.flatMap((row) => columns.map(([column]) => ({ row, column, ...row[column] })));
const title = ({ row, column, says }) => `${row.what}: ${column}: ${says}`;

it('the README has the table as it is rendered from its cells', () => {
  const readme = read('README.md');
  const from = readme.indexOf('\n## Cenote beside other pools\n');
  assert.ok(from >= 0, 'there is the section');
  assert.ok(
    readme.slice(from, readme.indexOf('\n## ', from + 1)).includes(`\n${table()}\n`),
    `the table is to be:\n${table()}`,
  );
});

it('each column names the version that is installed and tried here', () => {
  for (const [peer, head] of peers) {
    assert.equal(head, `${peer} ${JSON.parse(ofPeer(peer, 'package.json')).version}`);
  }
});

it('each cell is there, is short, and has something that shows it', () => {
  assert.ok(rows.length >= 20);
  for (const cell of cells) {
    assert.ok(cell.says?.length > 0 && cell.says.length <= 30, title(cell));
    const ways = ['name', 'word', 'lacks', 'probe'].filter((way) => cell[way]);
    assert.equal(ways.length, cell.says === '–' ? 0 : 1, title(cell));
  }
});

describe('what is said of cenote', () => {
  const ours = cells.filter(({ column }) => column === 'cenote');

  for (const cell of ours.filter(({ name }) => name)) {
    it(`${title(cell)} is shown by a test of that name`, () => {
      const names = Array.from(
        read(cell.file).matchAll(/\b(?:it|test)\(\s*(["'`])((?:\\.|(?!\1).)*)\1/g),
        ([, , name]) => name,
      );
      assert.ok(names.includes(cell.name), `${cell.file} has no test "${cell.name}"`);
    });
  }
});

describe('what is said of the others', { concurrency: 4 }, () => {
  const theirs = cells.filter(({ column }) => column !== 'cenote');

  it('what a package is said to have stands in its files', () => {
    for (const cell of theirs.filter(({ word }) => word)) {
      assert.ok(
        ofPeer(cell.column, cell.in).includes(cell.word),
        `${title(cell)}: ${cell.in} does not have ${cell.word}`,
      );
    }
  });

  it('what a package is said to lack is not in its declarations', () => {
    for (const cell of theirs.filter(({ lacks }) => lacks)) {
      for (const file of declarations[cell.column]) {
        const code = ofPeer(cell.column, file).replace(/\/\*[^]*?\*\//g, '');
        assert.equal(cell.lacks.exec(code)?.[0], undefined, `${title(cell)}: ${file}`);
      }
    }
  });

  for (const cell of theirs.filter(({ probe }) => probe)) {
    it(`${title(cell)}, as tried`, async () => {
      const ours = rows.find(({ what }) => what === cell.row.what).cenote.says;
      const patience = cell.says === ours ? kComesMs : kNeverMs;
      assert.equal(await found(cell.probe, cell.column, patience), cell.says);
    });
  }
});

describe('the probes find of cenote what the table says', { concurrency: 4 }, () => {
  for (const name of Object.keys(probes)) {
    const row = rows.find((one) => columns.some(([column]) => one[column].probe === name));
    it(row.what, async () => {
      assert.equal(await found(name, 'cenote', kComesMs), row.cenote.says);
    });
  }
});
