// The shared words: where each number lies in the memory that two threads look at.
//
// A *channel*, one per worker, has the claim word and the timings of its slots.
// Words that different threads write lie at least a cache line apart.

/** Channel: bumped by the worker after it posted results. */
export const kResults = 0;
/** Channel: generation (upper 16 bits) and count of claimed tasks (lower 16 bits). */
export const kClaim = 16;
/** Channel: registered background work now alive, settled, and rejected. Written by the worker. */
export const kBackgroundActive = 32;
export const kBackgroundSettled = 33;
export const kBackgroundRejected = 34;
/** Channel: bumped by the owner after it asked a running task to end. */
export const kAsks = 48;
export const kChannelWords = 64;

/** What a slot's task is asked: nothing, to end because it was aborted, or because its time is over. */
export const kAskNothing = 0;
export const kAskAborted = 1;
export const kAskTimeout = 2;
/** Nothing, and it is too late to ask it not to begin. Only of tasks that may not wait for ever. */
export const kAskBegun = 3;

/** Timings of a slot, three Float64 each: start, run time, wake latency; ms on the owner's clock. */
export const kTimingStart = 0;
export const kTimingRun = 1;
export const kTimingWake = 2;
export const kTimings = 3;

/** The most tasks that one worker holds beyond those it may run at once. */
export const kPrefetchMax = 64;

/** The run time of a task that has not ended. */
export const kStillRunning = -1;

export interface ChannelMemory {
  readonly words: Int32Array;
  readonly timings: Float64Array;
  /** By slot: whether its task is asked to end. Written by the owner. */
  readonly asks: Int32Array;
}

/** The shared memory of a channel with room for `slots` tasks. */
export function createChannelMemory(slots: number): ChannelMemory {
  const header = kChannelWords * Int32Array.BYTES_PER_ELEMENT;
  const timings = slots * kTimings;
  const asksAt = header + timings * Float64Array.BYTES_PER_ELEMENT;
  const buffer = new SharedArrayBuffer(asksAt + slots * Int32Array.BYTES_PER_ELEMENT);
  return {
    words: new Int32Array(buffer, 0, kChannelWords),
    timings: new Float64Array(buffer, header, timings),
    asks: new Int32Array(buffer, asksAt),
  };
}
