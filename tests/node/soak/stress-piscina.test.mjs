// `cenote/piscina` at random: `fixtures/chaos/stress-piscina.mjs` says what.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patient, stress } from '../support/chaos.mjs';

test(
  'random Piscinas, queues, balancers, aborts, crashes and ends: every task settles once, as it should',
  patient,
  async (t) => {
    const total = await stress(t, 'stress-piscina.mjs');
    assert.ok(total.values > 0 && total.errors > 0 && total.aborted > 0);
  },
);
