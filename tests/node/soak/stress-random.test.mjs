// Everything at once, at random: `fixtures/chaos/stress.mjs` says what.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patient, stress } from '../support/chaos.mjs';

test(
  'random tasks, limits, aborts, transfers, crashes and pools: every task settles once, as it should',
  patient,
  async (t) => {
    const total = await stress(t, 'stress.mjs');
    assert.ok(
      total.completed > 0 &&
        total.failed > 0 &&
        total.aborted + total.queueTimedOut + total.timedOut > 0,
    );
  },
);
