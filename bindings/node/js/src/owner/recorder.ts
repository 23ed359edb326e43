// What a pool records of its workers: how long tasks waited and ran, how long wakes took, and what
// the workers that ended leave to the pool's totals.
//
// Times are recorded in ns, to one part in 128. One record costs some 20 ns, so nothing is sampled
// away. The histograms are made of rows that the first time in each makes (see histogram.ts): a
// worker that ran nothing has none.

import { Histogram } from './histogram.js';
import type { StageCounts } from '../wait/loop.js';
import { kStageNames } from '../wait/words.js';
import { Traffic } from '../wire/traffic.js';

/** A summary of recorded times, in milliseconds. All 0 while nothing was recorded. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** How long tasks waited and ran, and how long wake-ups took. */
export interface LatencySummaries {
  /** From `run()` to the start of the handler. */
  readonly queueWait: LatencySummary;
  /**
   * How long the worker took for the task: to read it, and to run the handler until it returned or
   * its promise settled.
   */
  readonly runTime: LatencySummary;
  /** From sending a task to an idle worker until that worker looked at it. */
  readonly wakeLatency: LatencySummary;
}

/** Buckets of one part in 128. */
const kBits = 7;
/** The longest time that is told apart: an hour. */
const kMostNs = 3_600_000_000_000;
const kNsPerMs = 1e6;

function create(): Histogram {
  return new Histogram(kBits, kMostNs);
}

function summarize(times: Histogram): LatencySummary {
  const at = (percent: number): number => times.percentile(percent) / kNsPerMs;
  return {
    count: times.count,
    mean: times.mean / kNsPerMs,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: times.max / kNsPerMs,
  };
}

/** The times of one worker's tasks, or of many workers'. Recording never throws. */
export class Recorder {
  readonly #queueWait = create();
  readonly #runTime = create();
  readonly #wakeLatency = create();

  /** Times in ms; a wake latency of 0 was not measured. */
  record(queueWaitMs: number, runMs: number, wakeMs: number): void {
    this.#queueWait.record(queueWaitMs * kNsPerMs);
    this.#runTime.record(runMs * kNsPerMs);
    if (wakeMs > 0) this.#wakeLatency.record(wakeMs * kNsPerMs);
  }

  add(other: Recorder): void {
    this.#queueWait.add(other.#queueWait);
    this.#runTime.add(other.#runTime);
    this.#wakeLatency.add(other.#wakeLatency);
  }

  summarize(): LatencySummaries {
    return {
      queueWait: summarize(this.#queueWait),
      runTime: summarize(this.#runTime),
      wakeLatency: summarize(this.#wakeLatency),
    };
  }
}

/** Background work that handlers registered with `waitUntil`. */
export interface BackgroundCounts {
  /** Still running. */
  readonly active: number;
  /** Resolved. */
  readonly completed: number;
  /** Rejected. The pool emitted `backgroundError` for each. */
  readonly failed: number;
}

/** The sum of what workers counted. */
export class Tally {
  readonly latencies = new Recorder();
  readonly stages = noStages();
  readonly background = { active: 0, completed: 0, failed: 0 };

  /** What has crossed to workers, and from them. */
  readonly tasks = new Traffic();
  readonly results = new Traffic();

  /** The caller reads what the worker goes on writing, once. */
  add(latencies: Recorder | null, stages: StageCounts | null, background: BackgroundCounts): void {
    if (latencies !== null) this.latencies.add(latencies);
    if (stages !== null) addStages(this.stages, stages);
    this.background.active += background.active;
    this.background.completed += background.completed;
    this.background.failed += background.failed;
  }

  addTraffic(tasks: Traffic, results: Traffic): void {
    this.tasks.add(tasks);
    this.results.add(results);
  }
}

export function noStages(): StageCounts {
  const counts = {} as StageCounts;
  for (let i = 0; i < kStageNames.length; i++) counts[kStageNames[i]!] = 0;
  return counts;
}

function addStages(sum: StageCounts, stages: StageCounts): void {
  for (let i = 0; i < kStageNames.length; i++) sum[kStageNames[i]!] += stages[kStageNames[i]!];
}
