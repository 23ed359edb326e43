// A pool's statistics: a snapshot of every counter and histogram, in total and for each worker.

import { append } from './base/intrinsics.js';
import type { Dispatcher } from './owner/dispatcher.js';
import { thisLoop, type StageCounts } from './wait/loop.js';
import { noStages, Recorder, Tally, type LatencySummaries } from './owner/recorder.js';
import type { WorkerHandle } from './owner/worker-handle.js';

/** Tasks by outcome, since the pool was made. */
export interface TaskCounts {
  /** Taken into the pool. */
  readonly accepted: number;
  /** Refused because the queue was full; not among the accepted. */
  readonly refused: number;
  /** Settled with a value. */
  readonly completed: number;
  /** The handler threw or rejected, could not be loaded, or task or result could not be cloned. */
  readonly failed: number;
  /** Its signal was aborted. */
  readonly aborted: number;
  /** Its `queueTimeout` was over before it started. */
  readonly queueTimedOut: number;
  /** Its `timeout` was over before it ended. */
  readonly timedOut: number;
  /** Its worker ended, or none could be started. */
  readonly lost: number;
  /** The pool was destroyed. */
  readonly cancelled: number;
  /** Accepted and not yet given to a worker. */
  readonly queued: number;
  /** Given to a worker and not settled. */
  readonly inFlight: number;
}

/** Background work that handlers registered with `waitUntil`. */
export interface BackgroundCounts {
  readonly active: number;
  /** Ended well. */
  readonly completed: number;
  /** Rejected; each was a `backgroundError` event. */
  readonly failed: number;
}

/** How often a loop went through each stage of the wait; all 0 under the portable waiter. */
export type WaitStages = Readonly<StageCounts>;

/** One worker thread that is alive. */
export interface WorkerStats extends LatencySummaries {
  readonly threadId: number;
  readonly state: 'booting' | 'ready' | 'leaving';
  readonly tasks: {
    readonly completed: number;
    readonly failed: number;
    readonly inFlight: number;
  };
  readonly background: BackgroundCounts;
  readonly stages: WaitStages;
}

/** A snapshot of a pool. Times are in milliseconds. The totals include workers that have ended. */
export interface PoolStats extends LatencySummaries {
  readonly threads: number;
  readonly tasks: TaskCounts;
  readonly background: BackgroundCounts;
  /** The wait of all workers together. */
  readonly stages: WaitStages;
  /** The wait of the thread that owns the pool, shared with its other pools. */
  readonly ownerStages: WaitStages;
  readonly workers: readonly WorkerStats[];
}

/** Of a worker that records nothing. */
const kNothing = new Recorder();

export function takeStats(dispatcher: Dispatcher): PoolStats {
  const { ended, ledger, crew, queueSize } = dispatcher;
  const { outcomes, accepted, refused, unsettled } = ledger;
  const total = new Tally();
  total.addTally(ended);
  let active = 0;
  const workers: WorkerStats[] = [];
  for (let i = 0; i < crew.all.length; i++) {
    const worker = crew.all[i]!;
    total.add(worker);
    active += worker.backgroundActive;
    append(workers, workerStats(worker));
  }
  return {
    threads: crew.all.length,
    tasks: { accepted, refused, ...outcomes, queued: queueSize, inFlight: unsettled - queueSize },
    ...total.latencies.summarize(),
    background: background(active, total.backgroundSettled, total.backgroundRejected),
    stages: total.stages,
    ownerStages: thisLoop.stages,
    workers,
  };
}

function workerStats(worker: WorkerHandle): WorkerStats {
  const { threadId, state, completed, failed, inFlight } = worker;
  return {
    threadId,
    state: state === 'exited' ? 'leaving' : state,
    tasks: { completed, failed, inFlight },
    ...(worker.latencies ?? kNothing).summarize(),
    background: background(
      worker.backgroundActive,
      worker.backgroundSettled,
      worker.backgroundRejected,
    ),
    stages: worker.stages ?? noStages(),
  };
}

function background(active: number, settled: number, rejected: number): BackgroundCounts {
  return { active, completed: settled - rejected, failed: rejected };
}
