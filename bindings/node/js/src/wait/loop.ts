// This thread's event loop as a party of the wait protocol.
//
// One loop has one wait word, however many pools its thread owns and whether or not it is a worker
// itself. Whoever wants to be called when work was published for this thread attaches a source; the
// first opens the station in libuv, the last closes it. `wake` is the other side: it publishes to
// another thread's loop and rings it if, and only if, it is parked.
//
// A drain calls the sources that were attached when it began, in the order in which they were, and
// skips those that are detached meanwhile. A source attached meanwhile is called by the next drain,
// which it asks for. What one source throws is an uncaught exception of this thread; the others are
// called all the same.
//
// Nothing here trusts what lies in shared memory: user code can reach it, and whatever number is
// there, this file throws nothing and gives a number that makes sense.
//
// Where the addon cannot be used there is no station: work arrives by port events, and the loop is
// held open by a timer.

import {
  AtomicsAdd,
  AtomicsCompareExchange,
  AtomicsLoad,
  AtomicsNotify,
  AtomicsStore,
  AtomicsWait,
  clearInterval,
  MathFloor,
  MathMax,
  MathMin,
  MAX_SAFE_INTEGER,
  PlainFloat64Array,
  queueMicrotask,
  SafeMap,
  setInterval,
  TypedArrayBuffer,
  TypedArrayByteOffset,
} from '../base/intrinsics.js';
import { loadNative } from './native.js';
import {
  kBlocked,
  kEpoch,
  kExpectedUs,
  kKeepAlive,
  kLap,
  kLapped,
  kLoopWords,
  kNotified,
  kParkedDriver,
  kReferenced,
  kStages,
  kState,
  kTurnLeftUs,
  type kStageNames,
} from './words.js';

/** The longest that a timer takes, in ms, and the most that a word holds, in µs. */
const kMost = 2 ** 31 - 1;

/** A loop as another thread sees it. Structured-cloneable. */
export interface LoopAddress {
  readonly words: Int32Array;
  /** The number to ring, or 0 where there is no station. No two loops ever have the same. */
  readonly station: number;
}

/** Something on this thread that work is published for. */
export interface LoopSource {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  /** It spins as ever while CPU time is scarce. */
  readonly spinUnderPressure: boolean;
  /** Called when the epoch moved. May attach and detach sources. */
  drain(): void;
  /** µs until work is expected: 0 not known, -1 none outstanding. Must not throw. */
  expectedUs(): number;
}

/** How often the loop went through each stage of the wait. All 0 under the portable waiter. */
export type StageCounts = Record<(typeof kStageNames)[number], number>;

/** Publishes to a loop: the epoch moves, and a parked loop is rung, by one waker only. */
export function wake(address: LoopAddress): void {
  const { words, station } = address;
  publish(words);
  // Sequentially consistent, as all of Atomics: the other half of the fence in `park_driver`, and
  // of `block`.
  const state = AtomicsLoad(words, kState);
  if (state === kParkedDriver) {
    if (AtomicsCompareExchange(words, kState, kParkedDriver, kNotified) === kParkedDriver)
      loadNative()?.ring(station);
  } else if (
    state === kBlocked &&
    AtomicsCompareExchange(words, kState, kBlocked, kNotified) === kBlocked
  ) {
    AtomicsNotify(words, kState);
  }
}

function publish(words: Int32Array): void {
  // Before the state is looked at: a loop that sleeps by then has seen the lap, or is rung.
  const endsLap = (AtomicsAdd(words, kEpoch, 1) & (kLap - 1)) === kLap - 1;
  if (endsLap) AtomicsStore(words, kLapped, 1);
}

/** Reads a loop's stage counters; any thread may. */
export function readStages(words: Int32Array): StageCounts {
  const values = new PlainFloat64Array(TypedArrayBuffer(words), TypedArrayByteOffset(words));
  // In the order of `kStageNames`, each defined and not assigned: no setter is called.
  return {
    spins: countAt(values, 0),
    spinHits: countAt(values, 1),
    spinMisses: countAt(values, 2),
    spinSkips: countAt(values, 3),
    parks: countAt(values, 4),
    wakes: countAt(values, 5),
    spinCuts: countAt(values, 6),
  };
}

/** A counter, whatever lies in its place: an integer from 0 on. */
function countAt(values: Float64Array, stage: number): number {
  const value = values[kStages + stage];
  // NaN is not above 0.
  return value !== undefined && value > 0 ? MathMin(MathFloor(value), MAX_SAFE_INTEGER) : 0;
}

class EventLoop {
  readonly #words = new Int32Array(
    new SharedArrayBuffer(kLoopWords * Int32Array.BYTES_PER_ELEMENT),
  );
  /** The sources in the order in which they were attached, each with its number in that order. */
  readonly #sources = new SafeMap<LoopSource, number>();
  /** Sources attached so far. No process attaches 2^53. */
  #attached = 0;
  #turnBudgetUs = kMost;
  #station = 0;
  /** Holds that were not released. Bounded by what this thread's pools have outstanding. */
  #holds = 0;
  #timer: NodeJS.Timeout | undefined;

  /** How other threads reach this loop; valid while a source is attached. */
  get address(): LoopAddress {
    return { words: this.#words, station: this.#station };
  }

  /** Calls a source from now on. What was published for it before is drained in a coming turn. */
  attach(source: LoopSource): void {
    const native = loadNative();
    if (native !== null && this.#station === 0) {
      const { maxSpinUs, turnBudgetUs } = source;
      this.#station = native.openLoop(this.#words, this.#drain, maxSpinUs, turnBudgetUs);
    }
    // Only now: a loop that could not be opened has no source.
    this.#sources.set(source, ++this.#attached);
    this.#configure();
    if (this.#holds > 0) this.#keepAlive();
    this.again();
  }

  detach(source: LoopSource): void {
    if (!this.#sources.delete(source)) return;
    if (this.#sources.size > 0) this.#configure();
    else this.#close();
  }

  /** Keeps this thread's loop alive until as many releases followed. */
  hold(): void {
    if (this.#holds++ === 0) this.#keepAlive();
  }

  release(): void {
    if (--this.#holds > 0) return;
    this.#words[kKeepAlive] = 0;
    this.#timer?.unref();
  }

  /**
   * Tells the wait when work is due, after this thread published or drained some. It counts for one
   * spin: a loop that gave up and slept does not spin again for its timers and sockets.
   */
  expect(): void {
    this.#soonest = -1;
    this.#sources.forEach(this.#expectOne);
    this.#words[kExpectedUs] = this.#soonest;
  }

  #soonest = -1;
  readonly #expectOne = (_order: number, source: LoopSource): void => {
    const expected = source.maxSpinUs === 0 ? -1 : source.expectedUs();
    if (expected >= 0 && (this.#soonest < 0 || expected < this.#soonest))
      this.#soonest = MathMin(expected, kMost);
  };

  /** Asks for another drain in a coming turn of the loop. */
  again(): void {
    publish(this.#words);
  }

  /** Moves whenever something is published for this loop. */
  get epoch(): number {
    return AtomicsLoad(this.#words, kEpoch);
  }

  /** Blocks this thread, for so many ms at most, unless the epoch has moved on from `seen`. */
  block(seen: number, ms: number): void {
    const words = this.#words;
    const before = AtomicsLoad(words, kState);
    AtomicsStore(words, kState, kBlocked);
    // Whoever publishes after this look sees that the thread blocks.
    if (AtomicsLoad(words, kEpoch) === seen) AtomicsWait(words, kState, kBlocked, ms);
    AtomicsStore(words, kState, before);
  }

  /** ms that this drain may take. Never 0: one that may begin nothing would repeat for ever. */
  get turnLeftMs(): number {
    const left = this.#words[kTurnLeftUs] ?? 0;
    return MathMax(1, MathMin(left, this.#turnBudgetUs)) / 1000;
  }

  get stages(): StageCounts {
    return readStages(this.#words);
  }

  readonly #drain = (): void => {
    this.#drainTo = this.#attached;
    this.#sources.forEach(this.#drainOne);
  };

  /** The last source that the drain which runs now is for. */
  #drainTo = 0;
  readonly #drainOne = (order: number, source: LoopSource): void => {
    if (order > this.#drainTo) return;
    try {
      source.drain();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };

  #configure(): void {
    let maxSpinUs = 0;
    let turnBudgetUs = kMost;
    let spinUnderPressure = false;
    this.#sources.forEach((_order, source) => {
      maxSpinUs = MathMax(maxSpinUs, source.maxSpinUs);
      turnBudgetUs = MathMin(turnBudgetUs, source.turnBudgetUs);
      spinUnderPressure ||= source.spinUnderPressure;
    });
    this.#turnBudgetUs = turnBudgetUs;
    loadNative()?.configureLoop(this.#station, maxSpinUs, turnBudgetUs, spinUnderPressure);
  }

  #keepAlive(): void {
    const native = loadNative();
    if (native === null) {
      // That it is referenced is all that counts.
      this.#timer ??= setInterval(() => {}, kMost);
      this.#timer.ref();
      return;
    }
    this.#words[kKeepAlive] = 1;
    // The station lets go lazily, before a poll; most often it still holds.
    if (this.#station !== 0 && this.#words[kReferenced] === 0) native.referenceLoop(this.#station);
  }

  #close(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#station === 0) return;
    loadNative()?.closeLoop(this.#station);
    this.#station = 0;
  }
}

/** The loop of this thread. */
export const thisLoop = new EventLoop();
