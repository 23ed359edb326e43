// Runs one of Piscina's test files the way Piscina's own script does, under a watchdog.
//
// One runner for each file instead of one for all: what a file leaves running ends with it, and a
// file that hangs or crashes costs nothing but itself.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from '../../scripts/lib/run.mjs';

const reporter = new URL('reporter.mjs', import.meta.url).href;

/** What the reporter wrote. A runner that was ended may have left half a line. */
function readResults(file) {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/**
 * Runs `test/<file>` of the package in `folder`. Resolves to the `results` of its tests, the
 * runner's `output`, how long it took, and `fault`: what went wrong with the file as a whole, if
 * anything did.
 */
export async function runFile(folder, file, limitMs) {
  const path = join(folder, 'test', file);
  const resultsFile = join(folder, 'results.ndjson');
  rmSync(resultsFile, { force: true });
  const { code, signal, output, timedOut, ms } = await run(
    process.execPath,
    [
      '--enable-source-maps',
      '--import=tsx',
      '--test',
      '--test-concurrency=1',
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      `--test-reporter=${reporter}`,
      `--test-reporter-destination=${resultsFile}`,
      path,
    ],
    // A runner started inside another runner's test would report to that one.
    { cwd: folder, limitMs, env: { NODE_TEST_CONTEXT: undefined } },
  );
  const all = readResults(resultsFile);
  // Of a file that ended before its tests did, the runner says that the file itself failed, as if
  // it were a test.
  const results = all.filter(({ name }) => resolve(folder, name.at(-1)) !== path);
  let fault;
  if (timedOut) fault = `hung: ended after ${limitMs / 1_000} s`;
  else if (results.length < all.length)
    fault = 'the file itself failed: it threw, or its process ended badly';
  else if (code !== 0 && !results.some(({ status }) => status === 'fail')) {
    fault = code === null ? `ended by ${signal}` : `exit code ${code}, though no test failed`;
  }
  return { results, output, ms, fault };
}
