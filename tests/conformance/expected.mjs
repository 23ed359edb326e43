// What the run is held against: the list of tests that pass with Piscina, and the deviations from
// it that are meant.
//
// The list, `piscina-<version>.json`, gives for every test file the names of its tests, a nested
// one as `outer > inner`, a name as often as it is there. `only` says where a test runs at all,
// which the test itself decides: on which platform, on which major version of Node, with how many
// processors at most. What is inside a test with `only` has the same.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { Stop } from '../../scripts/lib/say.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const listOf = (version) => here(`piscina-${version}.json`);

export const nameOf = (path) => path.join(' > ');

/** This machine, in the terms of `only`. */
export const machine = {
  platform: process.platform,
  node: Number(process.versions.node.split('.')[0]),
  cpus: cpus().length,
};

/** Whether a test with this `only` runs here. */
export function runsOn({ platform, node, cpus: limit } = {}, here = machine) {
  if (platform?.startsWith('not ')) return here.platform !== platform.slice('not '.length);
  if (platform !== undefined) return here.platform === platform;
  return (node === undefined || here.node === node) && (limit === undefined || here.cpus <= limit);
}

/** Reads the list: the hash of the tests, and for each file its tests as `{ name, only }`. */
export function readList(version) {
  if (!existsSync(listOf(version))) {
    const there = readdirSync(here('.')).filter((name) => name.endsWith('.json'));
    throw new Stop(
      `there is no list for Piscina ${version}, only ${there.join(', ')}; README.md beside it says how to record one`,
    );
  }
  const { hash, files } = JSON.parse(readFileSync(listOf(version), 'utf8'));
  const tests = ([file, list]) => [
    file,
    list.map((test) => (typeof test === 'string' ? { name: test } : test)),
  ];
  return { hash, files: Object.fromEntries(Object.entries(files).map(tests)) };
}

/**
 * Writes the list from a run of every file against Piscina: all tests that passed, and those that
 * were skipped. Returns the names of the skipped ones of which the former list does not say where
 * they run: somebody has to add that.
 */
export async function recordList(version, hash, resultsOf) {
  const former = existsSync(listOf(version)) ? readList(version).files : {};
  const files = {};
  const unclear = [];
  for (const [file, results] of Object.entries(resultsOf)) {
    const only = new Map((former[file] ?? []).map((test) => [test.name, test.only]));
    files[file] = results.map(({ name: path, status }) => {
      const name = nameOf(path);
      const where = only.get(name);
      if (status === 'skip' && (where === undefined || runsOn(where)))
        unclear.push(`${file}: ${name}`);
      return where === undefined ? name : { name, only: where };
    });
    // What is inside a test that is skipped here does not show.
    const hidden = (former[file] ?? []).filter(
      (test) => test.only !== undefined && !runsOn(test.only),
    );
    for (const { name, only: where } of hidden) {
      if (!results.some(({ name: path }) => nameOf(path) === name))
        files[file].push({ name, only: where });
    }
  }
  const sorted = Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = JSON.stringify({ hash, files: sorted });
  writeFileSync(listOf(version), await format(text, { parser: 'json', printWidth: 120 }));
  return unclear;
}

/**
 * The tests that the table in a text like DEVIATIONS.md names: `test` is `file: name`, `always`
 * whether it must fail.
 */
export function readDeviations(text) {
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  // Above the table's first row are its heading and the line under it.
  return rows.slice(2).map((row) => {
    const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
    const test = cells[1].replace(/^`+\s?|\s?`+$/g, '');
    if (!/^[\w-]+\.test\.ts: \S/.test(test))
      throw new Stop(`DEVIATIONS.md names no test in the line: ${row}`);
    if (!['always', 'sometimes'].includes(cells[2]))
      throw new Stop(`DEVIATIONS.md does not say when in: ${row}`);
    return { test, always: cells[2] === 'always' };
  });
}

export const deviations = () => readDeviations(readFileSync(here('DEVIATIONS.md'), 'utf8'));
