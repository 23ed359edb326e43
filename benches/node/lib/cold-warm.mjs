// A rate twice in one process: cold, as the process starts, and warm, after more of the same work.
//
// Cold is what a short-lived program and the first second of a server see: the code is still being
// compiled. Warm is what a server sees from then on. The warm-up is the cold part and half a second
// more, the same time for every pool.

const kRampMs = 600;
const kColdMs = 1200;
const kWarmUpMs = 500;
const kWarmMs = 1000;

/** The figures of a scenario that measures this way. */
export const coldAndWarmMetrics = {
  coldPerSecond: { label: 'cold rate', unit: 'tasks/s' },
  warmPerSecond: { label: 'warm rate', unit: 'tasks/s' },
  warmCpuNs: { label: 'warm CPU a task', unit: 'ns' },
};

/**
 * @param load { measured, scale } as a scenario gets them; `work(ms)` does the work for so long
 * and resolves with tasks per second; `rampMs` is left out before the cold part
 * @returns both rates; the CPU time of each is the meter's
 */
export async function coldAndWarm({ measured, scale, work, rampMs = kRampMs }) {
  await work(rampMs * scale);
  const coldPerSecond = await measured(() => work(kColdMs * scale), 'cold');
  await work(kWarmUpMs * scale);
  const warmPerSecond = await measured(() => work(kWarmMs * scale), 'warm');
  return { coldPerSecond, warmPerSecond };
}
