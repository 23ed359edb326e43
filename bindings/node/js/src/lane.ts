// Lanes: shares of a pool with limits of their own, as the bulkheads of a ship.
//
// A lane hands a task to the pool when fewer than `maxRunning` of its tasks are there; the others
// wait in the lane, first come, first served, at most `maxQueue` of them. So a lane whose tasks
// hang keeps no more than `maxRunning` places of the pool, and nothing in the pool need know of it.
//
// Guarantees: however a task ends, its place goes to the next one that waits; a task that was
// refused or aborted while it waited in the lane never runs.

import {
  checkCount,
  isAbortSignal,
  isNoOptions,
  refuseUnknown,
  wrongOptions,
} from './arguments.js';
import {
  ObjectAssign,
  ObjectFreeze,
  PromiseThen,
  SafeMap,
  SafePromise,
} from './base/intrinsics.js';
import { AbortError, CenoteError, invalidType, outOfRange } from './errors.js';
import { kNames } from './options.js';
import { onAbort } from './owner/abort-watch.js';
import { Waiting, WaitingList } from './owner/waiting-line.js';
import type { RunOptions } from './run-options.js';

/** The limits of a {@link Lane}. */
export interface LaneOptions {
  /** How many of the lane's tasks the pool may have at once: they run, or wait in its queue. */
  readonly maxRunning: number;
  /** How many tasks may wait in the lane. @default 65536 */
  readonly maxQueue?: number;
}

/** What a lane has counted. */
export interface LaneStats {
  /** Tasks that wait in the lane. */
  readonly queued: number;
  /** Tasks that the pool has. */
  readonly running: number;
  /** Tasks that settled with a value. */
  readonly completed: number;
  /** Tasks that settled otherwise, those aborted while they waited among them. */
  readonly failed: number;
  /** Tasks that a full lane did not accept. */
  readonly refused: number;
}

/** How a lane has the pool run a task. */
type RunTask = (task: unknown, options: RunOptions | undefined) => Promise<unknown>;

/** A share of a pool. Made by `pool.lane()`. */
export class Lane<Payload = unknown, Result = unknown> {
  readonly name: string;
  readonly options: Required<LaneOptions>;
  readonly #run: RunTask;
  readonly #waiting = new WaitingList();
  #queued = 0;
  #running = 0;
  #completed = 0;
  #failed = 0;
  #refused = 0;
  #refusal: (() => unknown) | null = null;

  /** @internal */
  constructor(name: string, options: Required<LaneOptions>, run: RunTask) {
    this.name = name;
    this.options = ObjectFreeze(options);
    this.#run = run;
  }

  /**
   * As `pool.run()`, within the lane's limits. The task's time limits begin when the lane hands it
   * to the pool; its signal ends the wait in the lane too.
   *
   * Rejects as `run()` does, and with a `CenoteError` (`ERR_CENOTE_QUEUE_FULL`) if the lane is
   * full.
   */
  run(task: Payload, options?: RunOptions): Promise<Result> {
    return new SafePromise<unknown>((resolve, reject) => {
      const signal = options?.signal;
      if (signal !== undefined && !isAbortSignal(signal))
        throw invalidType('options.signal', 'an AbortSignal', signal);
      if (this.#refusal !== null) reject(this.#refusal());
      else if (this.#running < this.options.maxRunning && this.#waiting.isEmpty)
        this.#begin(task, options, resolve, reject);
      else if (this.#queued >= this.options.maxQueue) reject(this.#full());
      else this.#queue(task, options, signal, resolve, reject);
    }) as Promise<Result>;
  }

  /** A snapshot of the lane's counters. */
  stats(): LaneStats {
    return {
      queued: this.#queued,
      running: this.#running,
      completed: this.#completed,
      failed: this.#failed,
      refused: this.#refused,
    };
  }

  /** @internal The pool ends: sends away what waits, and whoever comes. */
  end(refusal: () => unknown): void {
    this.#refusal = refusal;
    this.cancel(refusal);
  }

  /** @internal Sends away what waits, and says how many those were. */
  cancel(error: () => unknown): number {
    let cancelled = 0;
    for (let first = this.#waiting.first; first !== null; first = this.#waiting.first) {
      cancelled++;
      first.refuse(error());
    }
    return cancelled;
  }

  #queue(
    task: Payload,
    options: RunOptions | undefined,
    signal: AbortSignal | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    if (signal?.aborted === true) throw new AbortError(signal.reason);
    const leave = (): void => {
      this.#waiting.remove(waiting);
      this.#queued--;
      forget?.();
    };
    const waiting = new Waiting(
      () => {
        leave();
        this.#begin(task, options, resolve, reject);
      },
      (error) => {
        leave();
        this.#failed++;
        reject(error);
      },
    );
    const forget = signal && onAbort(signal, () => waiting.refuse(new AbortError(signal.reason)));
    this.#queued++;
    this.#waiting.push(waiting);
  }

  #begin(
    task: Payload,
    options: RunOptions | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#running++;
    void PromiseThen(
      this.#run(task, options),
      (value: unknown) => {
        this.#completed++;
        this.#ended();
        resolve(value);
      },
      (error: unknown) => {
        this.#failed++;
        this.#ended();
        reject(error);
      },
    );
  }

  #ended(): void {
    this.#running--;
    if (this.#running < this.options.maxRunning) this.#waiting.first?.enter();
  }

  #full(): unknown {
    this.#refused++;
    const { maxRunning, maxQueue } = this.options;
    return new CenoteError(
      'ERR_CENOTE_QUEUE_FULL',
      `The lane "${this.name}" is full: ${maxRunning} running, ${maxQueue} waiting (maxQueue). ` +
        'Submit less at a time or raise its maxQueue.',
    );
  }
}

/** The lanes of one pool, by their names. */
export class Lanes {
  readonly #lanes = new SafeMap<string, Lane>();
  readonly #run: RunTask;
  #refusal: (() => unknown) | null = null;

  constructor(run: RunTask) {
    this.#run = run;
  }

  /** The lane of that name. It is made by the first call, which says its limits. */
  get(name: unknown, input: unknown): Lane {
    if (typeof name !== 'string') throw invalidType('name', 'a string', name);
    const present = this.#lanes.get(name);
    if (present !== undefined && input === undefined) return present;
    const options = readLaneOptions(input);
    if (present !== undefined) {
      const { maxRunning, maxQueue } = present.options;
      if (options.maxRunning === maxRunning && options.maxQueue === maxQueue) return present;
      throw outOfRange(
        'options',
        `those that the lane "${name}" was made with (maxRunning ${maxRunning}, ` +
          `maxQueue ${maxQueue})`,
        input,
      );
    }
    const lane = new Lane(name, options, this.#run);
    if (this.#refusal !== null) lane.end(this.#refusal);
    this.#lanes.set(name, lane);
    return lane;
  }

  /** What all lanes have counted. */
  stats(): Record<string, LaneStats> {
    const stats = { __proto__: null } as never as Record<string, LaneStats>;
    this.#lanes.forEach((lane, name) => {
      stats[name] = lane.stats();
    });
    return stats;
  }

  /** Sends away what waits in lanes, and says how many those were. */
  cancel(error: () => unknown): number {
    let cancelled = 0;
    this.#lanes.forEach((lane) => {
      cancelled += lane.cancel(error);
    });
    return cancelled;
  }

  /** The pool ends. */
  end(refusal: () => unknown): void {
    this.#refusal = refusal;
    this.#lanes.forEach((lane) => lane.end(refusal));
  }
}

const kLaneNames: readonly string[] = ['maxRunning', 'maxQueue'];

function readLaneOptions(input: unknown): Required<LaneOptions> {
  if (isNoOptions(input)) throw wrongOptions(input, 'lane()');
  const given = ObjectAssign({ __proto__: null } as never as Record<string, unknown>, input);
  refuseUnknown(given, kLaneNames, { names: kNames, call: 'new Pool()' });
  return {
    maxRunning: checkCount(given['maxRunning'], 'options.maxRunning', 1),
    maxQueue: checkCount(given['maxQueue'] ?? 65_536, 'options.maxQueue', 0),
  };
}
