/**
 * Replays the load on one pool and counts what became of the exports.
 *
 * Four phases: warm up (until every worker has run a task, so that its start is
 * in no figure), load (a fixed number of tasks in flight, each file as often as
 * there are passes), then nothing for 3 s, then count. With `wakeMs` a fifth: one
 * task of that length on every worker that only awaits a timer, then count again.
 * Memory does not grow with
 * the number of files: paths come from a lazy walk, latencies go into a
 * histogram, and the digests are summed up in one number.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { createHistogram, performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Collector } from './collector.mjs';
import { kThreads } from './pools.mjs';
import { walk } from './walk.mjs';

export const kWaitAfterLoadMs = 3000;
const kWarmUpRounds = 200;
const kErrorsKept = 3;

/**
 * @param {object} plan
 * @param {string} plan.name The pool's name, for the table.
 * @param {() => object} plan.createPool
 * @param {string} plan.root
 * @param {ReadonlySet<string>} plan.excluded
 * @param {number} plan.limit
 * @param {number} plan.passes How often the files are gone through.
 * @param {number} plan.concurrency Tasks in flight.
 * @param {number} plan.wakeMs 0 leaves the fifth phase out.
 * @param {AbortSignal} plan.signal Ends the replay early; it then rejects.
 * @param {(path: string, reason: string) => void} plan.onUnreadable
 * @param {(state: object) => void} plan.onProgress
 */
export async function replay(plan) {
  const { signal } = plan;
  const collector = await Collector.start();
  // Aborted when this replay is over for whatever reason; `signal` only ends it early.
  const over = new AbortController();
  let pool;
  try {
    signal.throwIfAborted();
    pool = plan.createPool();
    const stopped = Promise.race([rejectOnAbort(signal), collector.failed]);
    stopped.catch(() => {});
    return await Promise.race([measure(plan, pool, collector, over.signal), stopped]);
  } finally {
    over.abort(); // the tasks that destroy() rejects must not be followed by others
    await pool?.destroy();
    await collector.close();
  }
}

async function measure(plan, pool, collector, over) {
  const { name, concurrency, wakeMs, onProgress } = plan;
  const figures = {
    name,
    tasks: 0,
    skipped: 0,
    failed: 0,
    refused: 0,
    errors: [],
    seconds: 0,
    latencyNs: createHistogram(),
    digestSum: 0n,
    exports: collector.counts,
    exportsAfterWake: undefined,
  };
  onProgress({ phase: 'load', ...figures });
  await warmUp(pool);

  const paths = passesOver(plan);
  let nextId = 0;
  const started = performance.now();
  const lane = async () => {
    for (;;) {
      const { value: file, done } = await paths.next();
      if (done || over.aborted) return;
      const id = nextId;
      nextId += 1;
      const task = { id, path: file, collectorPort: collector.port };
      await runOne(plan, pool, task, figures, over);
      if (over.aborted) return;
      figures.seconds = (performance.now() - started) / 1000;
      figures.exports = collector.counts;
      onProgress({ phase: 'load', ...figures });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  over.throwIfAborted();

  const pause = async (phase, ms) => {
    const end = performance.now() + ms;
    for (let left = ms; left > 0; left = end - performance.now()) {
      onProgress({ phase, ...figures, exports: collector.counts, leftMs: left });
      await delay(Math.min(left, 100), undefined, { signal: over });
    }
  };
  await pause('wait', kWaitAfterLoadMs);
  figures.exports = { ...(await collector.settle()) };

  if (wakeMs > 0) {
    const tasks = Array.from({ length: kThreads }, () => pool.run({ sleepMs: wakeMs }));
    await Promise.all([pause('wake', wakeMs), ...tasks]);
    figures.exportsAfterWake = { ...(await collector.settle()) };
  }
  return figures;
}

async function runOne({ root, onUnreadable }, pool, task, figures, over) {
  const started = performance.now();
  try {
    const result = await pool.run(task);
    figures.latencyNs.record(Math.max(1, Math.round((performance.now() - started) * 1e6)));
    if (result.skipped !== undefined) {
      figures.skipped += 1;
      onUnreadable(task.path, result.skipped);
      return;
    }
    figures.tasks += 1;
    if (result.exportRefused) figures.refused += 1;
    figures.digestSum = addDigest(figures.digestSum, path.relative(root, task.path), result);
  } catch (error) {
    if (over.aborted) return; // the pool was destroyed under the task
    figures.failed += 1;
    if (figures.errors.length < kErrorsKept) {
      figures.errors.push(`${task.path}: ${error.message}`);
    }
  }
}

/** The files again for every pass; what cannot be read was named by the survey. */
async function* passesOver({ root, excluded, limit, passes, onUnreadable }) {
  for (let pass = 0; pass < passes; pass += 1) {
    yield* walk(root, { excluded, limit, onUnreadable });
  }
}

async function warmUp(pool) {
  const seen = new Set();
  for (let round = 0; round < kWarmUpRounds && seen.size < kThreads; round += 1) {
    const tasks = Array.from({ length: kThreads }, () => pool.run({ warmUp: true }));
    for (const { threadId } of await Promise.all(tasks)) seen.add(threadId);
  }
}

/** A sum modulo 2^256: tasks end in any order, and each file comes once per pass. */
function addDigest(sum, relativePath, { sha256, bytes, gzipBytes }) {
  const entry = createHash('sha256')
    .update(`${relativePath}\0${sha256}\0${bytes}\0${gzipBytes}`)
    .digest('hex');
  return BigInt.asUintN(256, sum + BigInt(`0x${entry}`));
}

function rejectOnAbort(signal) {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
