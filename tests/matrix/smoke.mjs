// The least that a runtime must do, run by that runtime itself: tasks, a failing task, background
// work on an idle worker, an orderly close. Prints what happened as one line of JSON, for
// `matrix.test.mjs` to judge.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const warnings = [];
process.on('warning', (warning) => warnings.push(warning.code ?? warning.message));

const { Pool } = createRequire(import.meta.url)('../..');
const pool = new Pool({
  filename: fileURLToPath(new URL('./smoke-task.cjs', import.meta.url)),
  minThreads: 2,
  maxThreads: 2,
});

const doubled = await Promise.all(Array.from({ length: 100 }, (_, n) => pool.run({ double: n })));
const error = await pool.run({ fail: 'on purpose' }).then(
  () => 'none',
  ({ name, message }) => `${name}: ${message}`,
);

// The timer is started by a task and must fire although no further task ever comes. Only this
// thread polls.
const fired = new Int32Array(new SharedArrayBuffer(4));
await pool.run({ raiseLater: fired, afterMs: 20 });
const giveUp = Date.now() + 10_000;
while (Atomics.load(fired, 0) === 0 && Date.now() < giveUp)
  await new Promise((resolve) => setTimeout(resolve, 5));

await pool.close();
console.log(JSON.stringify({ doubled, error, timerFired: Atomics.load(fired, 0) === 1, warnings }));
