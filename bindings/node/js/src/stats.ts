// A pool's statistics: a snapshot of every counter and histogram, in total and for each worker.

import { append } from './base/intrinsics.js';
import type { LaneStats } from './lane.js';
import type { Dispatcher } from './owner/dispatcher.js';
import { thisLoop, type StageCounts } from './wait/loop.js';
import {
  noStages,
  Recorder,
  Tally,
  type BackgroundCounts,
  type LatencySummaries,
} from './owner/recorder.js';
import type { WorkerHandle } from './owner/worker-handle.js';
import {
  kCloned,
  kClonedUntried,
  kInWords,
  kInWordsAndPort,
  kTransferred,
  kWordsByPort,
} from './wire/channel.js';
import type { Traffic } from './wire/traffic.js';

/** How many tasks ended in which way since the pool was made, and how many have not ended. */
export interface TaskCounts {
  /** Accepted by the pool. */
  readonly accepted: number;
  /** Refused because the pool was full. Not counted as accepted. */
  readonly refused: number;
  /** Resolved. */
  readonly completed: number;
  /** The handler failed or could not be loaded, or the task or its result could not be copied. */
  readonly failed: number;
  /** Aborted by their signal. */
  readonly aborted: number;
  /** Dropped because they did not start within `queueTimeout`. */
  readonly queueTimedOut: number;
  /** Stopped because they did not finish within `timeout`. */
  readonly timedOut: number;
  /** Lost because their worker ended, or because no worker could start. */
  readonly lost: number;
  /** Rejected because the pool was destroyed. */
  readonly cancelled: number;
  /** Waiting in the pool: no worker has been given them yet. */
  readonly queued: number;
  /** Given to a worker, and not yet settled. */
  readonly inFlight: number;
}

/**
 * How values crossed in one direction since the pool was made. Each is counted by one of the first
 * six.
 */
export interface WireCounts {
  /** In shared memory, whole. */
  readonly shared: number;
  /** In shared memory, but for large buffers and texts: each was copied once and moved. */
  readonly moved: number;
  /** As in shared memory, but by a port: there was no room, or the value takes over 64 KiB. */
  readonly full: number;
  /** By a structured clone: something in the value has no form in shared memory. */
  readonly cloned: number;
  /**
   * By a structured clone at once: the last of the same handler's had no form, or the environment
   * says so (`CENOTE_WIRE=port`).
   */
  readonly untried: number;
  /** By a structured clone: it had a transfer list, or was a result of `move()`. */
  readonly transferred: number;
  /** What went in shared memory and as moved buffers, in bytes. Clones are not measured. */
  readonly bytes: number;
  /** What structured clones took on the pool's own thread, in ms. */
  readonly cloneMs: number;
}

/** How often an event loop went through each stage of the wait. All 0 with the portable waiter. */
export type WaitStages = Readonly<StageCounts>;

/** The figures of one living worker thread. */
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

/** A snapshot of a pool. Times are in milliseconds. Totals include workers that have ended. */
export interface PoolStats extends LatencySummaries {
  readonly threads: number;
  readonly tasks: TaskCounts;
  readonly background: BackgroundCounts;
  /** How the values of tasks and of results crossed between the threads. */
  readonly wire: { readonly tasks: WireCounts; readonly results: WireCounts };
  /** How all workers together waited. */
  readonly stages: WaitStages;
  /** How the thread that made the pool waited, for this pool and its others. */
  readonly ownerStages: WaitStages;
  /** What the pool's lanes have counted, by their names. */
  readonly lanes: Readonly<Record<string, LaneStats>>;
  readonly workers: readonly WorkerStats[];
}

/** Stands for the times of a worker that records none. */
const kNothing = new Recorder();

export function takeStats(dispatcher: Dispatcher, lanes: PoolStats['lanes']): PoolStats {
  const { ended, ledger, crew, queueSize } = dispatcher;
  const { outcomes, accepted, refused, unsettled } = ledger;
  const total = new Tally();
  total.add(ended.latencies, ended.stages, ended.background);
  total.addTraffic(ended.tasks, ended.results);
  const workers: WorkerStats[] = [];
  for (let i = 0; i < crew.all.length; i++) append(workers, workerStats(crew.all[i]!, total));
  return {
    threads: crew.all.length,
    tasks: { accepted, refused, ...outcomes, queued: queueSize, inFlight: unsettled - queueSize },
    ...total.latencies.summarize(),
    background: { ...total.background },
    wire: { tasks: wireCounts(total.tasks), results: wireCounts(total.results) },
    stages: total.stages,
    ownerStages: thisLoop.stages,
    lanes,
    workers,
  };
}

/** Also adds them to the total: the worker goes on counting, and the two are to agree. */
function workerStats(worker: WorkerHandle, total: Tally): WorkerStats {
  const { threadId, state, completed, failed, inFlight, latencies, background } = worker;
  const stages = worker.body.stages ?? noStages();
  total.add(latencies, stages, background);
  total.addTraffic(worker.body.traffic.tasks, worker.body.traffic.results);
  return {
    threadId,
    state: state === 'exited' ? 'leaving' : state,
    tasks: { completed, failed, inFlight },
    ...(latencies ?? kNothing).summarize(),
    background,
    stages,
  };
}

function wireCounts({ paths, bytes, cloneMs }: Traffic): WireCounts {
  return {
    shared: paths[kInWords]!,
    moved: paths[kInWordsAndPort]!,
    full: paths[kWordsByPort]!,
    cloned: paths[kCloned]!,
    untried: paths[kClonedUntried]!,
    transferred: paths[kTransferred]!,
    bytes,
    cloneMs,
  };
}
