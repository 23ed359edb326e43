// Everything at once, at random: `fixtures/chaos/stress.mjs` says what. CENOTE_STRESS_SECONDS makes
// it longer, CENOTE_STRESS_SEED repeats it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { seedOf } from '../fixtures/chaos/random.mjs';
import { fixture } from '../support/behaviour.mjs';

const seconds = Number(process.env.CENOTE_STRESS_SECONDS ?? 8);
const limitMs = (seconds + 60) * 1_000;

test(
  'random tasks, limits, aborts, transfers, crashes and pools: every task settles once, as it should',
  { timeout: limitMs + 5_000 },
  async (t) => {
    const seed = seedOf(t);
    const { error, stdout, stderr } = await new Promise((resolve) => {
      const args = [fixture('chaos/stress.mjs'), seed, seconds];
      execFile(
        process.execPath,
        args.map(String),
        { timeout: limitMs, killSignal: 'SIGKILL' },
        (error, stdout, stderr) => resolve({ error, stdout, stderr }),
      );
    });
    assert.equal(error, null, `${error?.signal ?? error?.code}: ${stderr}`);
    const total = JSON.parse(stdout);
    t.diagnostic(stdout.trim());
    assert.ok(
      total.completed > 0 &&
        total.failed > 0 &&
        total.aborted + total.queueTimedOut + total.timedOut > 0,
    );
  },
);
