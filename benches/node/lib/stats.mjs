// Percentiles, medians and a seeded random source. Pure functions.

/**
 * The `p`-th percentile (0 to 100) of the samples, by nearest rank: always a value that was
 * measured.
 * @throws {RangeError} without samples.
 */
export function percentile(samples, p) {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
}

/**
 * The middle value; of an even number of values, the mean of the two in the middle.
 * @throws {RangeError} without values.
 */
export function median(values) {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Median, smallest and largest of the values. */
export function summary(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** A repeatable source of numbers in [0, 1) (mulberry32): every pool meets the same arrivals. */
export function randomSource(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Due times in ms, ascending, of a Poisson process of `perSecond` events over `ms`. */
export function poissonTimes(perSecond, ms, random) {
  const due = [];
  const mean = 1000 / perSecond;
  for (let at = 0; ;) {
    at += -Math.log(1 - random()) * mean;
    if (at >= ms) return due;
    due.push(at);
  }
}
