// One cell of the matrix: one scenario with one pool in one round, in a child process under a
// watchdog.
//
// The promise always resolves, whatever the pool does. `outcome` says how it went:
//   ok       measured, all results right
//   invalid  a result was wrong
//   failed   the pool threw, or its process ended early
//   hung     no result in time; the process was killed
// `destroyHung` marks a pool that measured well and then did not come back from destroy().

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const kMeasureLimitMs = 45_000;
const kDestroyLimitMs = 5_000;
const kOutputLimit = 2_000;

const kChild = fileURLToPath(new URL('../child.mjs', import.meta.url));

/**
 * @param job { scenario, pool, round, scale, collectorPort, folder }, names and numbers; when two
 * builds are compared, also { build, checkout }: the name that the cell gets. `folder` and
 * `checkout` are for child.mjs
 * @param watch the script to run, and how long in ms it may take to measure and to destroy the pool
 */
export function runCell(
  job,
  { script = kChild, measureLimitMs = kMeasureLimitMs, destroyLimitMs = kDestroyLimitMs } = {},
) {
  return new Promise((resolve) => {
    const start = performance.now();
    const cell = {
      scenario: job.scenario,
      pool: job.pool,
      round: job.round,
      build: job.build,
      outcome: 'hung',
      destroyHung: false,
    };
    // 'advanced': figures may be Infinity, which JSON lacks.
    const child = fork(script, [JSON.stringify(job)], { silent: true, serialization: 'advanced' });
    let killed = false;
    const kill = () => {
      killed = true;
      child.kill('SIGKILL');
    };
    let watchdog = setTimeout(kill, measureLimitMs);

    let output = '';
    const keep = (chunk) => (output = (output + chunk).slice(0, kOutputLimit));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);

    child.on('message', (message) => {
      switch (message.type) {
        case 'result':
          cell.outcome = 'ok';
          cell.figures = message.figures;
          cell.details = message.details;
          cell.destroyHung = true;
          clearTimeout(watchdog);
          watchdog = setTimeout(kill, destroyLimitMs);
          break;
        case 'destroyed':
          cell.destroyHung = false;
          break;
        case 'failed':
          cell.outcome = message.invalid ? 'invalid' : 'failed';
          cell.message = message.message;
          cell.destroyHung = false;
          break;
      }
    });
    child.on('error', (error) => (cell.message = error.message));
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      const pending = cell.outcome === 'hung' || cell.destroyHung;
      if (pending && !killed) {
        const where = cell.destroyHung ? 'in destroy()' : 'before it had measured';
        cell.outcome = 'failed';
        cell.destroyHung = false;
        cell.message ??= `the process ended ${where} (${signal ?? `exit code ${code}`})`;
      }
      if (output) cell.output = output;
      cell.seconds = (performance.now() - start) / 1000;
      resolve(cell);
    });
  });
}
