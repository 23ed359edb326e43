// The three histograms of a worker, and how they are summed up.
//
// Node's own histograms, in ns, to two significant digits: about 40 KiB each, and one record costs
// some 20 ns, so nothing is sampled away.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** A distribution of times, in milliseconds. All 0 while nothing was recorded. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface LatencySummaries {
  /** From `run()` to the start of the handler. */
  readonly queueWait: LatencySummary;
  /** What the task took its worker: to read it, and to run the handler until it returned or its promise settled. */
  readonly runTime: LatencySummary;
  /** From the post to an idle worker until that worker looked at it. */
  readonly wakeLatency: LatencySummary;
}

/** The longest time that is told apart: an hour. */
const kMaxNs = 3_600_000_000_000;
const kNsPerMs = 1e6;

function create(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: kMaxNs, figures: 2 });
}

function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.min(kMaxNs, Math.max(1, Math.round(ms * kNsPerMs))));
}

function summarize(histogram: RecordableHistogram): LatencySummary {
  const { count } = histogram;
  if (count === 0) return { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  const at = (percentile: number): number => histogram.percentile(percentile) / kNsPerMs;
  return {
    count,
    mean: histogram.mean / kNsPerMs,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    max: histogram.max / kNsPerMs,
  };
}

export class Latencies {
  readonly #queueWait = create();
  readonly #runTime = create();
  readonly #wakeLatency = create();

  /** Times in ms; a wake latency of 0 was not measured. */
  record(queueWaitMs: number, runMs: number, wakeMs: number): void {
    record(this.#queueWait, queueWaitMs);
    record(this.#runTime, runMs);
    if (wakeMs > 0) record(this.#wakeLatency, wakeMs);
  }

  add(other: Latencies): void {
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
