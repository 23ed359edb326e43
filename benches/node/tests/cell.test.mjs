// The watchdog: whatever a pool does, its cell ends and says what happened.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCell } from '../lib/cell.mjs';

const script = fileURLToPath(new URL('./fixtures/child.mjs', import.meta.url));
const kGenerous = 60_000;
const kShort = 300;
const job = (scenario) => ({ scenario, pool: 'p', round: 1 });

test('a measured cell has its figures, infinite ones too', async () => {
  const cell = await runCell(job('good'), {
    script,
    measureLimitMs: kGenerous,
    destroyLimitMs: kGenerous,
  });
  assert.equal(cell.outcome, 'ok');
  assert.deepEqual(cell.figures, { fast: 1, never: Infinity });
  assert.equal(cell.destroyHung, false);
});

test('a pool that never answers is killed and hung', async () => {
  const cell = await runCell(job('hangs'), {
    script,
    measureLimitMs: kShort,
    destroyLimitMs: kGenerous,
  });
  assert.equal(cell.outcome, 'hung');
});

test('a pool that hangs in destroy keeps its figures', async () => {
  const cell = await runCell(job('hangs-in-destroy'), {
    script,
    measureLimitMs: kGenerous,
    destroyLimitMs: kShort,
  });
  assert.deepEqual([cell.outcome, cell.figures, cell.destroyHung], ['ok', { fast: 1 }, true]);
});

test('a process that ends in destroy has failed', async () => {
  const cell = await runCell(job('dies-in-destroy'), {
    script,
    measureLimitMs: kGenerous,
    destroyLimitMs: kGenerous,
  });
  assert.deepEqual([cell.outcome, cell.destroyHung], ['failed', false]);
  assert.match(cell.message, /in destroy\(\) \(exit code 3\)/);
});

test('a process that ends early has failed, and what it printed is kept', async () => {
  const cell = await runCell(job('dies'), {
    script,
    measureLimitMs: kGenerous,
    destroyLimitMs: kGenerous,
  });
  assert.equal(cell.outcome, 'failed');
  assert.match(cell.message, /exit code 3/);
  assert.equal(cell.output, 'last words');
});

test('a wrong result is told apart from a failure', async () => {
  const cell = await runCell(job('wrong'), {
    script,
    measureLimitMs: kGenerous,
    destroyLimitMs: kGenerous,
  });
  assert.deepEqual([cell.outcome, cell.message], ['invalid', 'got 1, not 2']);
});
