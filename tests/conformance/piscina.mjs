// `npm run test:piscina`: runs the test suite that Piscina is published with, unmodified, against
// `cenote/piscina`.
//
// Usage: node tests/conformance/piscina.mjs [--against piscina [--record]] [FILE...]
//
//   FILE...            only the test files of this name, as in `pool-close`, or with this in
//                      their names, as in `queue`
//   --against piscina  run the same against Piscina itself
//   --record           write the list of tests from that run
//
// It fails unless every test that passes with Piscina, by name, passes; the tests that Piscina
// skips stay skipped. What DEVIATIONS.md lists may fail, or must. README.md beside this file says
// more.

import { parseArgs } from 'node:util';
import { main, say, seconds, Stop } from '../../scripts/lib/say.mjs';
import { deviations, machine, readList, recordList } from './expected.mjs';
import { judge } from './judge.mjs';
import { hashOfTests, installedVersion, layOut } from './layout.mjs';
import { runFile } from './run-file.mjs';

// Watchdogs against a hang; the slowest file takes a few seconds, all together less than a minute.
const fileLimitMs = 90_000;
const limitMs = 8 * 60_000;

const shortName = (file) => file.replace(/\.test\.ts$/, '');

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      against: { type: 'string', default: 'cenote' },
      record: { type: 'boolean', default: false },
    },
  });
  const { against, record } = values;
  if (!['cenote', 'piscina'].includes(against))
    throw new Stop('--against is followed by `cenote` or `piscina`');
  if (record && (against !== 'piscina' || positionals.length > 0)) {
    throw new Stop('--record is for a run of all files --against piscina');
  }
  return { against, record, wanted: positionals };
}

function choose(files, wanted) {
  const unknown = wanted.filter((part) => !files.some((file) => file.includes(part)));
  if (unknown.length > 0) {
    throw new Stop(
      `no such test file: ${unknown.join(', ')}. There are: ${files.map(shortName).join(', ')}`,
    );
  }
  // A whole name means only that file, though others may begin with it.
  const means = (file, part) =>
    files.some((one) => shortName(one) === part) ? shortName(file) === part : file.includes(part);
  return files.filter((file) => wanted.length === 0 || wanted.some((part) => means(file, part)));
}

/** `13 passed, 0 failed, 1 skipped`. Of what comes after the first two, only what there is. */
function describe({ passed, failed, skipped, deviating }) {
  const more = [skipped > 0 && `${skipped} skipped`, deviating > 0 && `${deviating} deviating`];
  return [`${passed} passed`, `${failed} failed`, ...more].filter(Boolean).join(', ');
}

/** Runs the files one after the other and calls `each` with what came of each. */
async function runAll(folder, files, each) {
  const started = Date.now();
  for (const file of files) {
    const left = limitMs - (Date.now() - started);
    const outcome =
      left > 0
        ? await runFile(folder, file, Math.min(fileLimitMs, left))
        : {
            results: [],
            output: '',
            ms: 0,
            fault: `not run: the suite's ${seconds(limitMs)} were over`,
          };
    each(file, outcome);
  }
}

async function record(version) {
  const hash = hashOfTests();
  const { folder, files } = layOut('piscina', hash);
  const resultsOf = {};
  await runAll(folder, files, (file, { results, fault, output }) => {
    if (fault !== undefined || results.some(({ status }) => status === 'fail')) {
      throw new Stop(`${output}\n${file} does not pass with Piscina itself; nothing was recorded`);
    }
    say(`${shortName(file)}: ${results.length}`);
    resultsOf[file] = results;
  });
  const unclear = await recordList(version, hash, resultsOf);
  for (const test of unclear) say(`skipped; add to the list where it runs, as \`only\`: ${test}`);
}

async function check(version, against, wanted) {
  const list = readList(version);
  const meant = against === 'piscina' ? [] : deviations();
  const { folder, files } = layOut(against, list.hash);
  const absent = Object.keys(list.files).filter((file) => !files.includes(file));
  const strangers = meant
    .map(({ test }) => test)
    .filter((test) => !files.includes(test.split(': ')[0]));
  if (absent.length > 0)
    throw new Stop(`in the list, but not in the package: ${absent.join(', ')}`);
  if (strangers.length > 0)
    throw new Stop(`DEVIATIONS.md names a file that there is not: ${strangers.join(', ')}`);
  const chosen = choose(files.sort(), wanted);

  const total = { passed: 0, failed: 0, skipped: 0, deviating: 0 };
  const width = Math.max(...chosen.map((file) => shortName(file).length));
  await runAll(folder, chosen, (file, { results, output, ms, fault }) => {
    const own = meant
      .filter(({ test }) => test.startsWith(`${file}: `))
      .map(({ test, always }) => ({ name: test.slice(file.length + 2), always }));
    const verdict = judge({
      listed: list.files[file] ?? [],
      results,
      fault,
      deviations: own,
      machine,
    });
    const counts = { ...verdict, failed: verdict.failures.length };
    for (const key of Object.keys(total)) total[key] += counts[key];
    if (counts.failed > 0) process.stdout.write(`\n${output}\n`);
    process.stdout.write(
      `  ${shortName(file).padEnd(width)}  ${describe(counts)} (${seconds(ms)})\n`,
    );
    for (const line of verdict.failures) process.stdout.write(`    ${line}\n`);
  });
  process.stdout.write(`the tests of Piscina ${version}, with ${against}: ${describe(total)}\n`);
  if (total.failed > 0) process.exitCode = 1;
}

await main(async () => {
  const { against, record: recording, wanted } = options();
  const version = installedVersion();
  await (recording ? record(version) : check(version, against, wanted));
});
