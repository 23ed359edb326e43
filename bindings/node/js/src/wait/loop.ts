// This thread's event loop as a party of the wait protocol.
//
// One loop has one wait word, however many pools its thread owns and whether or not it is a worker
// itself. Whoever wants to be called when work was published for this thread attaches a source;
// the first opens the station in libuv, the last closes it. `wake` is the other side: it publishes
// to another thread's loop and rings it if, and only if, it is parked.
//
// Where the addon cannot be used there is no station: work arrives by port events, and the loop is
// held open by a timer.

import { loadNative } from './native.js';
import {
  kEpoch,
  kExpectedUs,
  kKeepAlive,
  kLoopWords,
  kNotified,
  kParkedDriver,
  kReferenced,
  kStageNames,
  kStages,
  kState,
  kTurnLeftUs,
} from './words.js';

/** A loop as another thread sees it. Structured-cloneable. */
export interface LoopAddress {
  readonly words: Int32Array;
  /** The number to ring, or 0 where there is no station. */
  readonly station: number;
}

/** Something on this thread that work is published for. */
export interface LoopSource {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  /** Called when the epoch moved. Must not throw. */
  drain(): void;
  /** µs until work is expected: 0 not known, -1 none outstanding. */
  expectedUs(): number;
}

/** How often the loop went through each stage of the wait. All 0 under the portable waiter. */
export type StageCounts = Record<(typeof kStageNames)[number], number>;

/** Publishes to a loop: the epoch moves, and a parked loop is rung, by one waker only. */
export function wake(address: LoopAddress): void {
  const { words, station } = address;
  // Sequentially consistent, as all of Atomics: the other half of the fence in `park_driver`.
  Atomics.add(words, kEpoch, 1);
  if (
    Atomics.load(words, kState) === kParkedDriver &&
    Atomics.compareExchange(words, kState, kParkedDriver, kNotified) === kParkedDriver
  ) {
    loadNative()?.ring(station);
  }
}

/** Reads a loop's stage counters; any thread may. */
export function readStages(words: Int32Array): StageCounts {
  const values = new Float64Array(words.buffer, words.byteOffset);
  const counts = {} as StageCounts;
  kStageNames.forEach((name, index) => {
    counts[name] = values[kStages + index] ?? 0;
  });
  return counts;
}

class EventLoop {
  readonly #words = new Int32Array(
    new SharedArrayBuffer(kLoopWords * Int32Array.BYTES_PER_ELEMENT),
  );
  readonly #sources = new Set<LoopSource>();
  #station = 0;
  #holds = 0;
  #timer: NodeJS.Timeout | undefined;

  /** How other threads reach this loop; valid while a source is attached. */
  get address(): LoopAddress {
    return { words: this.#words, station: this.#station };
  }

  attach(source: LoopSource): void {
    this.#sources.add(source);
    const native = loadNative();
    if (native === null) return;
    if (this.#station === 0) {
      this.#station = native.openLoop(
        this.#words,
        () => this.#drain(),
        source.maxSpinUs,
        source.turnBudgetUs,
        false,
      );
      if (this.#holds > 0) native.referenceLoop(this.#station);
    }
    this.#configure();
  }

  detach(source: LoopSource): void {
    if (!this.#sources.delete(source)) return;
    if (this.#sources.size > 0) this.#configure();
    else this.#close();
  }

  /** Keeps this thread's loop alive until as many releases followed. */
  hold(): void {
    if (this.#holds++ > 0) return;
    const native = loadNative();
    if (native === null) {
      // The period is the longest that a timer takes; that it is referenced is all that counts.
      this.#timer ??= setInterval(() => {}, 2 ** 31 - 1);
      this.#timer.ref();
      return;
    }
    this.#words[kKeepAlive] = 1;
    // The station lets go lazily, before a poll; most often it still holds.
    if (this.#station !== 0 && this.#words[kReferenced] === 0) native.referenceLoop(this.#station);
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
    let soonest = -1;
    for (const source of this.#sources) {
      const expected = source.maxSpinUs === 0 ? -1 : source.expectedUs();
      if (expected >= 0 && (soonest < 0 || expected < soonest)) soonest = expected;
    }
    this.#words[kExpectedUs] = soonest;
  }

  /** Asks for another drain in a coming turn of the loop. */
  again(): void {
    Atomics.add(this.#words, kEpoch, 1);
  }

  /** ms that the drain which runs now may take. Never 0: one that may begin nothing would be repeated for ever. */
  get turnLeftMs(): number {
    return Math.max(1, this.#words[kTurnLeftUs] ?? 0) / 1000;
  }

  get stages(): StageCounts {
    return readStages(this.#words);
  }

  #drain(): void {
    for (const source of this.#sources) source.drain();
  }

  #configure(): void {
    let maxSpinUs = 0;
    let turnBudgetUs = Infinity;
    for (const source of this.#sources) {
      maxSpinUs = Math.max(maxSpinUs, source.maxSpinUs);
      turnBudgetUs = Math.min(turnBudgetUs, source.turnBudgetUs);
    }
    loadNative()?.configureLoop(this.#station, maxSpinUs, turnBudgetUs);
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
