// The words that a loop shares with the addon, and with the threads that wake it.
//
// A loop has one `Int32Array` of kLoopWords. `words.rs` holds the same numbers, and a test compares
// the two. Words that different threads write lie at least a cache line apart.

/** Loop: bumped by a waker after it published work. */
export const kEpoch = 0;
/** Loop: the state of the wait word. */
export const kState = 1;
/** Loop: µs until work is expected; 0 not known, -1 none. Written by the loop's thread, -1 by native code when it sleeps. */
export const kExpectedUs = 16;
/** Loop: 1 while the loop must stay alive. Written by the loop's own thread. */
export const kKeepAlive = 17;
/** Loop: 1 while native code holds the loop open. Written by native code. */
export const kReferenced = 18;
/** Loop: µs of the turn budget that are left when a drain is called. Written by native code. */
export const kTurnLeftUs = 19;
/** Loop: first of the stage counters, as an index into a Float64Array. Written by native code. */
export const kStages = 16;
export const kLoopWords = 64;

/** The state of a loop that sleeps in its own poll; the one state that is rung. */
export const kParkedDriver = 3;
/** The state of a loop that a waker claimed. */
export const kNotified = 4;

/** What the addon counts for a loop, in the order in which it writes them. */
export const kStageNames = [
  'spins',
  'spinHits',
  'spinMisses',
  'spinSkips',
  'parks',
  'wakes',
] as const;
