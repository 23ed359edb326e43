// Pools that come and go leave nothing: no thread, no handle, no descriptor, no memory.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fixture } from '../support/behaviour.mjs';

const kPools = 500;

// KiB that a pool may leave. It leaves kilobytes of JavaScript if anything still refers to it, and
// megabytes if its thread is still there. Resident memory also grows by what the allocator keeps,
// as it does for as many plain worker threads.
const kHeap = 5;
const kExternal = 5;
const kResident = 320;

test(
  `${kPools} pools made and ended in one process leave nothing behind`,
  { timeout: 110_000 },
  async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--expose-gc', fixture('chaos/pools-in-turn.mjs'), String(kPools)],
      { timeout: 100_000 },
    );
    const { count, after, measured, grown } = JSON.parse(stdout);
    assert.equal(count, kPools);
    assert.equal(after, 'as before');
    const perPool = (mebibytes) => (mebibytes * 1024) / measured;
    assert.ok(perPool(grown.heap) < kHeap, `the heap grew by ${grown.heap} MiB`);
    assert.ok(
      perPool(grown.external) < kExternal,
      `array buffers and the like grew by ${grown.external} MiB`,
    );
    assert.ok(perPool(grown.resident) < kResident, `resident memory grew by ${grown.resident} MiB`);
  },
);
