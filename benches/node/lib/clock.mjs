// The one clock that threads can share: `performance.now()` counts from each thread's own start.

/** Milliseconds of the system's monotonic clock, with microsecond resolution. */
export function monotonicMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}
