// Run and wait times, as Piscina reports them: recorded in whole microseconds, at least 1, to three
// significant digits, and summarized in milliseconds.

import { Histogram } from '../owner/histogram.js';

/** A summary of recorded times, in ms. `average` and `mean` are the same. */
export interface PiscinaHistogramSummary {
  average: number;
  mean: number;
  stddev: number;
  min: number;
  max: number;
  p0_001: number;
  p0_01: number;
  p0_1: number;
  p1: number;
  p2_5: number;
  p10: number;
  p25: number;
  p50: number;
  p75: number;
  p90: number;
  p97_5: number;
  p99: number;
  p99_9: number;
  p99_99: number;
  p99_999: number;
}

/** What {@link Piscina.histogram} gives. The summaries are undefined with `recordTiming: false`. */
export interface PiscinaHistogram {
  runTime: PiscinaHistogramSummary;
  waitTime: PiscinaHistogramSummary;
  resetRunTime(): void;
  resetWaitTime(): void;
}

const kUsPerMs = 1000;
/** Buckets of one part in 1,024. */
const kBits = 10;
/** The longest time that is told apart, in µs: some 140 years. */
const kMostUs = 2 ** 52;

export class Times {
  readonly #recorded = new Histogram(kBits, kMostUs);

  get count(): number {
    return this.#recorded.count;
  }

  get meanMs(): number {
    return this.#recorded.mean / kUsPerMs;
  }

  record(ms: number): void {
    this.#recorded.record(ms * kUsPerMs);
  }

  reset(): void {
    this.#recorded.reset();
  }

  summary(): PiscinaHistogramSummary {
    const recorded = this.#recorded;
    const percentile = (percent: number): number => recorded.percentile(percent) / kUsPerMs;
    // Of nothing, what Node's own histograms say.
    const isEmpty = recorded.count === 0;
    const mean = isEmpty ? NaN : recorded.mean / kUsPerMs;
    return {
      average: mean,
      mean,
      stddev: isEmpty ? NaN : recorded.stddev / kUsPerMs,
      min: (isEmpty ? 2 ** 63 : recorded.min) / kUsPerMs,
      max: recorded.max / kUsPerMs,
      p0_001: percentile(0.001),
      p0_01: percentile(0.01),
      p0_1: percentile(0.1),
      p1: percentile(1),
      p2_5: percentile(2.5),
      p10: percentile(10),
      p25: percentile(25),
      p50: percentile(50),
      p75: percentile(75),
      p90: percentile(90),
      p97_5: percentile(97.5),
      p99: percentile(99),
      p99_9: percentile(99.9),
      p99_99: percentile(99.99),
      p99_999: percentile(99.999),
    };
  }
}

/** The times of a pool's tasks. */
export class TaskTimes {
  readonly run = new Times();
  readonly wait = new Times();
}

/** The object that users read; `times` is null where nothing is recorded. */
export function histogramOf(times: TaskTimes | null): PiscinaHistogram {
  return {
    // Piscina's own type does not say that they may be undefined.
    get runTime() {
      return times?.run.summary() as PiscinaHistogramSummary;
    },
    get waitTime() {
      return times?.wait.summary() as PiscinaHistogramSummary;
    },
    resetRunTime() {
      times?.run.reset();
    },
    resetWaitTime() {
      times?.wait.reset();
    },
  };
}
