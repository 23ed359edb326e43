// The words that a loop shares with the addon, and with the threads that wake it.
//
// A loop has one `Int32Array` of kLoopWords. `words.rs` holds the same numbers; the addon gives
// them by `layout()`, and a test compares the two, name for name. Words that different threads
// write lie at least a cache line apart.
//
// | index | who writes | what |
// |---|---|---|
// | kEpoch | wakers | counts publications, modulo 2^32 |
// | kState | the loop, wakers | what the loop does: see below |
// | kLapped | wakers; native when it drains | 1 once the epoch went through a lap |
// | kExpectedUs | the loop's JavaScript; native when it sleeps | when work is expected |
// | kKeepAlive | the loop's JavaScript | 1 while the loop must stay alive |
// | kReferenced | native | 1 while native code holds the loop open |
// | kTurnLeftUs | native | what is left of the turn budget |
// | kThread | native | the system's number of the loop's thread |
// | kStages | native | stage counters, each a double |
//
// The state of a loop, by who brings it about:
//
// | from | to | who | when |
// |---|---|---|---|
// | running 0 | kParkedDriver 3 | the loop | before it polls; then it looks for work once more |
// | kParkedDriver 3 | kNotified 4 | a waker | it published, and rings the loop |
// | running 0 | kBlocked 5 | the loop | its thread blocks, and looked for work before |
// | kBlocked 5 | kNotified 4 | a waker | it published, and notifies the thread |
// | 5, 4 | running 0 | the loop | its thread blocks no more |
// | 3, 4 | running 0 | the loop | its poll returned, or that last look found work |
//
// Only one waker brings about 3 to 4, or 5 to 4, for each sleep. To a waker any other value is
// running.
//
// A loop looks for work by comparing the epoch with what it saw last. So that 2^32 publications in
// between do not look like none, a waker that ends a lap sets kLapped, and the loop looks at both.

/** Loop: bumped by a waker after it published work. */
export const kEpoch = 0;
/** Loop: the state of the wait word. */
export const kState = 1;
/** Loop: 1 once the epoch went through a lap and the loop has not drained since. */
export const kLapped = 2;
/** Publications in a lap, a power of two: the epoch goes through four laps before it repeats. */
export const kLap = 2 ** 30;
/** Loop: µs until work is expected; 0 not known, -1 none. Native code writes -1 when it sleeps. */
export const kExpectedUs = 16;
/** Loop: 1 while the loop must stay alive. Written by the loop's own thread. */
export const kKeepAlive = 17;
/** Loop: 1 while native code holds the loop open. Written by native code. */
export const kReferenced = 18;
/** Loop: µs of the turn budget that are left when a drain is called. Written by native code. */
export const kTurnLeftUs = 19;
/** Loop: the system's number of its thread; 0: none is known. Written by native code. */
export const kThread = 20;
/** Loop: first of the stage counters, as an index into a Float64Array. Written by native code. */
export const kStages = 16;
/** Length of the array. */
export const kLoopWords = 64;

/** The state of a loop that sleeps in its own poll; the one state that is rung. */
export const kParkedDriver = 3;
/** The state of a loop whose thread blocks on the state itself, in `Atomics.wait`. */
export const kBlocked = 5;
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
  'spinCuts',
] as const;
