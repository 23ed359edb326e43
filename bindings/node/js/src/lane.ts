// Lanes: shares of a pool with limits of their own, as the bulkheads of a ship.
//
// A lane hands a task to the pool when fewer than `maxRunning` of its tasks are there; the others
// wait in the lane, first come, first served, at most `maxQueue` of them. So a lane whose tasks
// hang keeps no more than `maxRunning` places of the pool, and nothing in the pool need know of it.
// Where the pool itself is full, a task that the lane has handed over waits for room.
//
// Guarantees: however a task ends, its place goes to the next one that waits; a task that was
// refused or aborted while it waited in the lane never runs.

import { checkCount, isNoOptions, refuseUnknown, wrongOptions } from './arguments.js';
import { ObjectAssign, ObjectFreeze, SafeMap } from './base/intrinsics.js';
import { checkPriority, type CallDefaults } from './calls.js';
import { CenoteError, invalidType, outOfRange, poolErrors } from './errors.js';
import type { Front, Gate } from './front.js';
import { checkLimit } from './number-options.js';
import { kNames } from './options.js';
import type { Outcome, Task } from './owner/task.js';
import { waitingCall, WaitingList, type Call } from './owner/waiting-line.js';
import type { RunOptions } from './run-options.js';

/** The limits of a {@link Lane}, and what holds for its tasks. */
export interface LaneOptions {
  /** How many of the lane's tasks the pool may have at once: they run, or wait in its queue. */
  readonly maxRunning: number;
  /** How many tasks may wait in the lane. @default 65536 */
  readonly maxQueue?: number;
  /** The `queueTimeout` of the lane's tasks, in milliseconds. @default the pool's */
  readonly queueTimeout?: number;
  /** The `timeout` of the lane's tasks, in milliseconds. @default the pool's */
  readonly timeout?: number;
  /** The `priority` of the lane's tasks. @default 0 */
  readonly priority?: number;
}

/** What a lane has counted. */
export interface LaneStats extends Readonly<Record<Outcome, number>> {
  /** Tasks that wait in the lane. */
  readonly queued: number;
  /** Tasks that the pool has, or that wait for room in it. */
  readonly running: number;
  /** Tasks that a full lane did not accept. */
  readonly refused: number;
}

/** A share of a pool. Made by `pool.lane()`. */
export class Lane<Payload = unknown, Result = unknown> {
  readonly name: string;
  readonly options: Required<LaneOptions>;
  readonly #gate: LaneGate;
  readonly #front: Front;

  /** @internal */
  constructor(name: string, options: Required<LaneOptions>, front: Front, gate: LaneGate) {
    this.name = name;
    this.options = options;
    this.#front = front;
    this.#gate = gate;
  }

  /**
   * As `pool.run()`, within the lane's limits. What the task waits in the lane counts for its
   * `queueTimeout`, and its signal ends that wait too. Where the pool is full, the task waits for
   * room.
   *
   * Rejects as `run()` does, and with a `CenoteError` (`ERR_CENOTE_QUEUE_FULL`) if the lane is
   * full.
   */
  run(task: Payload, options?: RunOptions): Promise<Result> {
    return this.#front.run(task, options, this.#gate) as Promise<Result>;
  }

  /** A snapshot of the lane's counters. */
  stats(): LaneStats {
    return this.#gate.stats();
  }
}

/** What lets the tasks of a lane into the pool. */
class LaneGate implements Gate {
  readonly defaults: CallDefaults;
  readonly #name: string;
  readonly #options: Required<LaneOptions>;
  readonly #front: Front;
  readonly #waiting = new WaitingList();
  readonly #outcomes: Record<Outcome, number> = {
    completed: 0,
    failed: 0,
    aborted: 0,
    queueTimedOut: 0,
    timedOut: 0,
    lost: 0,
    cancelled: 0,
  };
  #running = 0;
  #refused = 0;
  #refusal: (() => unknown) | null = null;

  constructor(name: string, options: Required<LaneOptions>, front: Front) {
    this.#name = name;
    this.#options = options;
    this.#front = front;
    this.defaults = { ...options, retry: front.defaults.retry };
  }

  take(call: Call): void {
    const { task } = call;
    if (this.#refusal !== null) {
      this.#refuse(task, this.#refusal());
      return;
    }
    const isFree = this.#running < this.#options.maxRunning && this.#waiting.isEmpty;
    if (!isFree && this.#waiting.count >= this.#options.maxQueue) {
      this.#refuse(task, this.#full());
      return;
    }
    let isIn = false;
    task.follow((outcome) => {
      this.#outcomes[outcome]++;
      if (!isIn) return;
      this.#running--;
      this.#admit();
    });
    const enter = (): void => {
      isIn = true;
      this.#running++;
      call.waits = true;
      this.#front.take(call);
    };
    if (isFree) enter();
    else this.#waiting.push(waitingCall(call, poolErrors, enter));
  }

  #refuse(task: Task, error: unknown): void {
    task.end('cancelled');
    task.reject(error);
  }

  #admit(): void {
    if (this.#running < this.#options.maxRunning) this.#waiting.shift()?.enter();
  }

  stats(): LaneStats {
    return {
      queued: this.#waiting.count,
      running: this.#running,
      ...this.#outcomes,
      refused: this.#refused,
    };
  }

  /** The pool ends: sends away what waits, and whoever comes. */
  end(refusal: () => unknown): void {
    this.#refusal = refusal;
    this.cancel(refusal);
  }

  /** Sends away what waits, and says how many those were. */
  cancel(error: () => unknown): number {
    return this.#waiting.cancel(error, true);
  }

  #full(): unknown {
    this.#refused++;
    const { maxRunning, maxQueue } = this.#options;
    return new CenoteError(
      'ERR_CENOTE_QUEUE_FULL',
      `The lane "${this.#name}" is full: ${maxRunning} running, ${maxQueue} waiting (maxQueue). ` +
        'Submit less at a time or raise its maxQueue.',
    );
  }
}

/** The lanes of one pool, by their names. */
export class Lanes {
  readonly #lanes = new SafeMap<string, { readonly lane: Lane; readonly gate: LaneGate }>();
  readonly #front: Front;
  #refusal: (() => unknown) | null = null;

  constructor(front: Front) {
    this.#front = front;
  }

  /** The lane of that name. It is made by the first call, which says its limits. */
  get(name: unknown, input: unknown): Lane {
    if (typeof name !== 'string') throw invalidType('name', 'a string', name);
    const present = this.#lanes.get(name)?.lane;
    if (present !== undefined && input === undefined) return present;
    const options = readLaneOptions(input, this.#front.defaults);
    if (present !== undefined) {
      if (isSame(options, present.options)) return present;
      throw outOfRange('options', `${described(present)} was made with`, input);
    }
    const gate = new LaneGate(name, options, this.#front);
    const lane = new Lane(name, options, this.#front, gate);
    if (this.#refusal !== null) gate.end(this.#refusal);
    this.#lanes.set(name, { lane, gate });
    return lane;
  }

  /** What all lanes have counted. */
  stats(): Record<string, LaneStats> {
    const stats = { __proto__: null } as never as Record<string, LaneStats>;
    this.#lanes.forEach(({ gate }, name) => {
      stats[name] = gate.stats();
    });
    return stats;
  }

  /** Sends away what waits in lanes, and says how many those were. */
  cancel(error: () => unknown): number {
    let cancelled = 0;
    this.#lanes.forEach(({ gate }) => {
      cancelled += gate.cancel(error);
    });
    return cancelled;
  }

  /** The pool ends. */
  end(refusal: () => unknown): void {
    this.#refusal = refusal;
    this.#lanes.forEach(({ gate }) => gate.end(refusal));
  }
}

const kLaneNames = ['maxRunning', 'maxQueue', 'queueTimeout', 'timeout', 'priority'] as const;

function readLaneOptions(input: unknown, pool: CallDefaults): Required<LaneOptions> {
  if (isNoOptions(input)) throw wrongOptions(input, 'lane()');
  const given = ObjectAssign({ __proto__: null } as never as Record<string, unknown>, input);
  refuseUnknown(given, kLaneNames, { names: kNames, call: 'new Pool()' });
  return ObjectFreeze({
    maxRunning: checkCount(given['maxRunning'], 'options.maxRunning', 1),
    maxQueue: checkCount(given['maxQueue'] ?? 65_536, 'options.maxQueue', 0),
    queueTimeout: checkLimit(given['queueTimeout'] ?? pool.queueTimeout, 'queueTimeout'),
    timeout: checkLimit(given['timeout'] ?? pool.timeout, 'timeout'),
    priority: checkPriority(given['priority']),
  });
}

function isSame(a: Required<LaneOptions>, b: Required<LaneOptions>): boolean {
  for (let i = 0; i < kLaneNames.length; i++)
    if (a[kLaneNames[i]!] !== b[kLaneNames[i]!]) return false;
  return true;
}

function described({ name, options }: Lane): string {
  let limits = '';
  for (let i = 0; i < kLaneNames.length; i++)
    limits += `${i === 0 ? '' : ', '}${kLaneNames[i]!} ${options[kLaneNames[i]!]}`;
  return `those that the lane "${name}" (${limits})`;
}
