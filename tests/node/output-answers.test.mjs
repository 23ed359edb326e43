// A worker's stream takes any message for the answer to what it has posted. The owner's first one
// answers nothing, and comes late where the owner is busy.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { fixture, sharedWords, watched } from './support/behaviour.mjs';

const kBootMs = 300;

function busy(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Starts the worker; it has printed before the owner asks for any output. */
function startPrinting(t, lines, how, stream) {
  const words = sharedWords();
  const workerData = { words, stream, lines, how };
  const worker = new Worker(fixture('kinds/output-answers.cjs'), {
    workerData,
    stdout: true,
    stderr: true,
  });
  t.after(() => worker.terminate());
  let text = '';
  worker[stream].setEncoding('utf8').on('data', (chunk) => (text += chunk));
  busy(kBootMs);
  return { words, output: worker[stream], received: () => text };
}

for (const stream of ['stdout', 'stderr']) {
  test(
    `what the owner has not taken is on its way, though answered: ${stream}`,
    watched,
    async (t) => {
      const { words, output, received } = startPrinting(t, 1, 'asks', stream);
      // The owner asks for output, as at every start, and is busy again.
      await new Promise((resolve) => process.nextTick(resolve));
      await new Promise((resolve) => process.nextTick(resolve));
      Atomics.wait(words, 0, 0, 2_000);
      assert.equal(received(), '', 'the owner took it: this test tests nothing');
      assert.equal(Atomics.load(words, 0), 2, 'the worker takes it to be with the owner');
      await once(output, 'data');
      assert.equal(received(), 'line 0\n');
    },
  );

  for (const lines of [1, 2, 5]) {
    test(
      `output is with the owner when the worker says so: ${lines} lines of ${stream}`,
      watched,
      async (t) => {
        const { words, output, received } = startPrinting(t, lines, 'tells', stream);
        const all = Array.from({ length: lines }, (_, n) => `line ${n}\n`).join('');
        while (Atomics.load(words, 0) === 0) {
          // After each chunk the owner has asked for the next, and is busy for a while.
          await Promise.race([
            once(output, 'data'),
            new Promise((resolve) => setTimeout(resolve, 5)),
          ]);
          await new Promise((resolve) => process.nextTick(resolve));
          await new Promise((resolve) => process.nextTick(resolve));
          Atomics.wait(words, 0, 0, 100);
        }
        assert.equal(received(), all);
      },
    );
  }
}
