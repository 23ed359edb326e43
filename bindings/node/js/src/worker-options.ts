// What workers are made with, of a pool's options.

import type { WorkerOptions } from 'node:worker_threads';
import { ArrayIsArray } from './base/intrinsics.js';
import { spinUnderPressure, wireByPort, type ResolvedOptions } from './options.js';
import type { Handler } from './owner/handlers.js';
import type { WorkerSpec } from './owner/worker-events.js';
import { warnPortable, whyPoolIsPortable } from './wait/native.js';
import { loadingNow } from './worker/worker-state.js';

/** The options that go to `new Worker` as they are. */
const kWorkerNames = [
  'workerData',
  'env',
  'argv',
  'execArgv',
  'resourceLimits',
  'trackUnmanagedFds',
] as const;

/** How the workers of a `Pool` begin; `preload` is its handler, if it has one. */
export function specOf(options: ResolvedOptions, preload: Handler | null): WorkerSpec {
  const { runtime } = options;
  const isThread = runtime === 'thread';
  const whyPortable = isThread ? whyPoolIsPortable(options.execArgv, options.env) : '';
  if (whyPortable !== '') warnPortable(whyPortable);
  return {
    workerOptions: workerOptions(options),
    runtime,
    concurrency: options.concurrentTasksPerWorker,
    // Nothing that a process sends is seen by a loop that spins.
    maxSpinUs: isThread ? options.maxSpinUs : 0,
    turnBudgetUs: options.turnBudgetUs,
    spinUnderPressure: spinUnderPressure(),
    portable: !isThread || whyPortable !== '',
    wireByPort: wireByPort(),
    preload,
    bare: false,
    niceIncrement: 0,
    loading: loadingNow(),
    recordsLatencies: true,
    quota: options.recycle.tasks,
    watchesHeap: options.recycle.heapMb < Infinity,
    onTiming: null,
  };
}

/** What `new Worker` gets: those of a pool's options that are for it and have a value. */
export function workerOptions(
  options: Readonly<Partial<Record<(typeof kWorkerNames)[number], unknown>>>,
): WorkerOptions {
  // A null prototype: `new Worker` would read what somebody put on Object.prototype.
  const given: Record<string, unknown> = { __proto__: null } as never;
  given['name'] = 'cenote';
  for (let i = 0; i < kWorkerNames.length; i++) {
    const name = kWorkerNames[i]!;
    const value = options[name];
    if (value !== undefined) given[name] = ArrayIsArray(value) ? copied(value) : value;
  }
  return given;
}

/** `new Worker` iterates over lists, and a list of the user's may have an iterator of its own. */
function copied(list: readonly unknown[]): unknown[] {
  const copy: unknown[] = [];
  for (let i = 0; i < list.length; i++) copy[i] = list[i];
  return copy;
}
