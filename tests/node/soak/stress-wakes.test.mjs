// The hunt for a lost wake: tens of thousands of hops, each from another point of the two sides'
// way to sleep.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { seedOf } from '../fixtures/chaos/random.mjs';
import { fixture } from '../support/behaviour.mjs';

const limitMs = 100_000;

async function pingPong(t, hops, before = []) {
  const seed = seedOf(t);
  const [command, ...args] = [
    ...before,
    process.execPath,
    fixture('chaos/ping-pong.mjs'),
    String(seed),
    String(hops),
  ];
  const { error, stdout, stderr } = await new Promise((resolve) => {
    execFile(command, args, { timeout: limitMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) =>
      resolve({ error, stdout, stderr }),
    );
  });
  assert.equal(error, null, `${error?.signal ?? error?.code}: ${stderr}`);
  t.diagnostic(stdout.trim());
  assert.equal(JSON.parse(stdout).hops, hops);
}

test('50,000 hops with pauses of up to 200 µs: none takes 2 s', { timeout: limitMs + 5_000 }, (t) =>
  pingPong(t, 50_000),
);

// Where a process can be bound to one CPU nobody may spin there, and every hop is two wakes.
if (spawnSync('taskset', ['-c', '0', 'true']).status === 0) {
  test('10,000 hops on one CPU: none takes 2 s', { timeout: limitMs + 5_000 }, (t) =>
    pingPong(t, 10_000, ['taskset', '-c', '0']),
  );
}
