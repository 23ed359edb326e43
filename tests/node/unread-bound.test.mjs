// What lies unread for a worker is bounded, in entries and bytes, however long it does not read,
// and whatever is taken back from it or aborted meanwhile; and the other workers get on.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { entries } from './fixtures/kinds/entries.mjs';
import { runProgram, watched } from './support/behaviour.mjs';

const fixtures = new URL('./fixtures/kinds/entries.mjs', import.meta.url).href;

/**
 * Far above what these programs need; a pool that keeps what nobody reads takes more, and ever
 * more.
 */
const kGrowthMax = 300 * 1024 * 1024;

/** A program with an entry, and how much its memory has grown at most since `growth.start()`. */
const head = (entry) => `
  import { entries, kindFile } from ${JSON.stringify(fixtures)};
  const entry = entries.find(({ name }) => name === ${JSON.stringify(entry.name)});
  const filename = kindFile('marked.cjs');
  const shared = (count) => new Int32Array(new SharedArrayBuffer(4 * count));
  const growth = {
    most: 0,
    start() {
      const first = process.memoryUsage.rss();
      const look = () => (growth.most = Math.max(growth.most, process.memoryUsage.rss() - first));
      growth.stop = () => { look(); clearInterval(timer); };
      const timer = setInterval(look, 20);
    },
  };
`;

async function outcomeOf(program) {
  const { code, stdout, stderr } = await runProgram(program);
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout);
}

for (const entry of entries) {
  for (const concurrency of [2, 4]) {
    test(
      `${entry.name}, ${concurrency} at a time: beside blocked workers a stream of large tasks goes on`,
      watched,
      async () => {
        const { most, done, wrong, ranTwice } = await outcomeOf(`
          ${head(entry)}
          const kTasks = 1_200;
          const ran = shared(kTasks + 1);
          const workerData = { entry: entry.name, ran };
          const threads = { minThreads: 3, maxThreads: 3,
            concurrentTasksPerWorker: ${concurrency} };
          const pool = entry.make({ filename, workerData, ...threads });
          // So that every worker is ready, and the tasks are not known to be short.
          const warm = Array.from({ length: 6 }, () => pool.run({ id: kTasks, kind: 'later', ms: 30 }));
          await Promise.all(warm);
          const words = shared(4);
          const blocked = [1, 2].map((at) => pool.run({ words, at }, { name: 'block' }));
          while (words[1] + words[2] < 2) await new Promise((resolve) => setTimeout(resolve, 1));
          growth.start();
          let next = 0;
          let done = 0;
          let wrong = 0;
          async function stream() {
            while (next < kTasks) {
              const id = next++;
              const payload = Buffer.alloc(256 * 1024, 1);
              const answer = await pool.run({ id, kind: 'later', ms: 1, payload });
              done++;
              if (answer.id !== id || answer.bytes !== payload.length) wrong++;
            }
          }
          const limit = setTimeout(() => finish(), 15_000);
          const finish = () => {
            growth.stop();
            const ranTwice = ran.subarray(0, kTasks).some((times) => times > 1);
            console.log(JSON.stringify({ most: growth.most, done, wrong, ranTwice }));
            process.exit();
          };
          // Blocked all the while.
          await Promise.all(Array.from({ length: 40 }, stream));
          finish();
        `);
        assert.ok(most < kGrowthMax, `the memory grew by ${most >> 20} MiB`);
        assert.deepEqual({ done, wrong, ranTwice }, { done: 1_200, wrong: 0, ranTwice: false });
      },
    );
  }

  for (const when of ['loading', 'blocked']) {
    test(
      `${entry.name}: aborted tasks for a worker that is ${when} are gone`,
      watched,
      async () => {
        const { most, errors, ran, answer } = await outcomeOf(`
        ${head(entry)}
        const kTasks = 2_000;
        const ran = shared(kTasks + 1);
        const gate = shared(1);
        const words = shared(2);
        const blocks = ${when === 'blocked'};
        if (blocks) gate[0] = 1;
        const workerData = { entry: entry.name, ran, gate };
        const threads = { minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 4 };
        const pool = entry.make({ filename, workerData, ...threads });
        if (blocks) {
          pool.run({ words, at: 1 }, { name: 'block' });
          while (words[1] === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        growth.start();
        const errors = {};
        for (let id = 0; id < kTasks; id++) {
          const controller = new AbortController();
          const payload = Buffer.alloc(256 * 1024, 1);
          pool.run({ id, payload }, { signal: controller.signal }).catch(({ name }) => {
            errors[name] = (errors[name] ?? 0) + 1;
          });
          // Also after they were given to the worker.
          if (id % 2 === 0) await null;
          if (id % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
          controller.abort();
        }
        const last = pool.run({ id: kTasks });
        await new Promise((resolve) => setTimeout(resolve, 30));
        growth.stop();
        gate[0] = 1;
        Atomics.notify(gate, 0);
        words[0] = 1;
        Atomics.notify(words, 0);
        const answer = (await last).id;
        const total = ran.reduce((sum, times) => sum + times, 0);
        console.log(JSON.stringify({ most: growth.most, errors, ran: total, answer }));
        await pool.destroy();
      `);
        assert.deepEqual(errors, { AbortError: 2_000 });
        assert.deepEqual({ ran, answer }, { ran: 1, answer: 2_000 });
        assert.ok(most < kGrowthMax, `the memory grew by ${most >> 20} MiB`);
      },
    );
  }

  test(`${entry.name}: a worker that was blocked takes part again`, watched, async () => {
    const { ranInAll, rounds } = await outcomeOf(`
      ${head(entry)}
      const ran = shared(1);
      const workerData = { entry: entry.name, ran };
      const threads = { minThreads: 2, maxThreads: 2, concurrentTasksPerWorker: 2 };
      const pool = entry.make({ filename, workerData, ...threads });
      let rounds = 0;
      for (; rounds < 20; rounds++) {
        const words = shared(4);
        // Both, so that what is queued meanwhile is all given to workers that do not read.
        const blocked = [1, 2].map((at) => pool.run({ words, at }, { name: 'block' }));
        while (words[1] + words[2] < 2) await new Promise((resolve) => setTimeout(resolve, 1));
        const payload = new Uint8Array(200 * 1024);
        const large = Array.from({ length: 10 }, () => pool.run({ id: 0, payload }));
        // Long enough for what they hold to be taken back, more than once.
        await new Promise((resolve) => setTimeout(resolve, 8));
        words[0] = 1;
        Atomics.notify(words, 0);
        await Promise.all([...blocked, ...large]);
        // Two that block: each needs a worker of its own, so both serve.
        const pair = shared(4);
        const both = [1, 2].map((at) => pool.run({ words: pair, at }, { name: 'block' }));
        while (pair[1] + pair[2] < 2) await new Promise((resolve) => setTimeout(resolve, 1));
        pair[0] = 1;
        Atomics.notify(pair, 0);
        await Promise.all(both);
      }
      console.log(JSON.stringify({ rounds, ranInAll: ran[0] }));
      await pool.destroy();
    `);
    assert.equal(rounds, 20);
    assert.equal(ranInAll, 200);
  });
}
