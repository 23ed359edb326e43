// The load generators count from the due time, do not wait for completions, and refuse wrong
// results.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkSame, InvalidResult } from '../lib/check.mjs';
import { closedLoop } from '../lib/closed-loop.mjs';
import { openLoop } from '../lib/open-loop.mjs';

const verify = (result, id) => checkSame(result, id, 'id');

test('open load submits what is due although nothing has completed', async () => {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  let submitted = 0;
  const run = async (id) => {
    if (++submitted === 50) release();
    await released;
    return id;
  };
  const dueMs = Array.from({ length: 50 }, (_, i) => i);
  const { latencies } = await openLoop({ run, dueMs, make: (id) => id, verify });
  // Everything completes when the last one is submitted, 49 ms after the first was due.
  assert.ok(latencies[0] >= 49, `${latencies[0]} ms`);
});

test('open load that is late catches up, and the delay counts', async () => {
  const blockMs = 100;
  const run = async (id) => {
    if (id === 0) for (const end = performance.now() + blockMs; performance.now() < end;);
    return id;
  };
  const dueMs = Array.from({ length: 20 }, (_, i) => i);
  const { latencies, lags } = await openLoop({ run, dueMs, make: (id) => id, verify });
  assert.ok(lags[19] >= blockMs - 19, `submitted ${lags[19]} ms late`);
  assert.ok(latencies[19] >= lags[19]);
  assert.equal(latencies.length, 20);
});

test('open load fails on a wrong result and on a task that fails', async () => {
  const load = (run) => openLoop({ run, dueMs: [0, 1], make: (id) => id, verify });
  await assert.rejects(
    load(async () => 7),
    InvalidResult,
  );
  await assert.rejects(
    load(async () => {
      throw new TypeError('no');
    }),
    TypeError,
  );
});

test('closed load keeps exactly so many in flight', async () => {
  let now = 0;
  let most = 0;
  const run = async (id) => {
    most = Math.max(most, ++now);
    await sleep(1);
    now--;
    return id;
  };
  const rate = await closedLoop({
    run,
    inFlight: 5,
    ms: 50,
    make: (_slot, id) => id,
    verify: (result, _slot, id) => verify(result, id),
  });
  assert.equal(most, 5);
  assert.ok(rate > 0);
});

test('closed load fails on a wrong result', async () => {
  const load = { run: async () => 7, inFlight: 2, ms: 50, make: (_slot, id) => id };
  await assert.rejects(
    closedLoop({ ...load, verify: (result, _slot, id) => verify(result, id) }),
    InvalidResult,
  );
});
