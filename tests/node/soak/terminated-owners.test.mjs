// Threads that own busy pools are ended at any moment, and nothing of the pools is left.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { fixture, until } from '../support/behaviour.mjs';

const require = createRequire(import.meta.url);
const { measure, settlesAt } = require('../fixtures/chaos/measure.cjs');

test('terminate() of a thread that owns a busy pool, 100 times', { timeout: 110_000 }, async () => {
  await until(
    'the files that were read at the start are closed',
    () => !process.getActiveResourcesInfo().includes('CloseReq'),
  );
  const before = measure();
  const filename = fixture('chaos/worker-with-pool.cjs');
  const one = async (delayMs) => {
    const worker = new Worker(filename, { workerData: { busy: true } });
    const failed = once(worker, 'error').then(([error]) => Promise.reject(error));
    failed.catch(() => {});
    // Half of them while their pool starts.
    if (delayMs < 10) await Promise.race([once(worker, 'message'), failed]);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await worker.terminate();
  };
  for (let i = 0; i < 100; i += 4)
    await Promise.all([0, 3, 15, 40].map((delayMs) => one((delayMs + i) % 50)));
  assert.equal(await settlesAt(before), 'as before');
});
