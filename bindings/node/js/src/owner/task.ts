// A task on the caller's side, and the queue that tasks wait in.
//
// The queue is a list through the tasks themselves: adding at either end and removing from the
// middle (an aborted task) take constant time, and what was removed leaves nothing behind.

import type { Transferable } from 'node:worker_threads';
import type { Handler } from './handlers.js';

/** Why a task settled, for the counters. */
export type Outcome =
  'completed' | 'failed' | 'aborted' | 'queueTimedOut' | 'timedOut' | 'lost' | 'cancelled';

/** Where a posted task is. */
export interface TaskHolder {
  /** Takes back what it has not begun; nothing if that cannot all be dealt again, but for the unwanted task. */
  revoke(unwanted: Task | null): Task[];
  /** Receives the results that it has posted by now. */
  catchUp(): void;
  /** When the worker claimed the task, in ms on this thread's clock; -1 if it has not. */
  startedAt(task: Task): number;
  /** Whether the task was claimed, and has not ended. */
  isRunning(task: Task): boolean;
  /** Tells a posted task to end: one that has not begun is skipped, one that runs is asked. */
  ask(task: Task, what: number): void;
  /** Makes sure that a posted task is skipped; `false` if it has begun. Only of tasks with a `queueMs`. */
  askToSkip(task: Task): boolean;
  terminate(): void;
}

/** The time limits of a task, in ms; Infinity where there is none. */
export interface TaskLimits {
  /** From its acceptance to its start. */
  readonly queueMs: number;
  /** From its start to its end. */
  readonly runMs: number;
}

/** Where accepted tasks wait. A task is in it at most once. */
export interface WaitQueue {
  readonly length: number;
  /** The task that {@link shift} would give. */
  peek(): Task | null;
  push(task: Task): void;
  shift(): Task | null;
  /** Puts tasks back in front, in their order. */
  unshift(tasks: readonly Task[]): void;
  /** Removes a task, if it is in the queue. */
  remove(task: Task): void;
}

export class Task {
  previous: Task | null = null;
  next: Task | null = null;
  /** Its place in the worker's table while it is posted, else -1. */
  slot = -1;
  /** Its place in the order in which the worker claims. */
  order = 0;
  /** What it was expected to take when it was posted, in ms. */
  expectedMs = 0;
  settled = false;
  /** Its caller has an answer, and its worker has yet to end it: why. */
  asked: Outcome | null = null;
  /** Workers that ended while it was posted to them and not begun. */
  deaths = 0;
  /** The worker that it was given to. */
  holder: TaskHolder | null = null;
  readonly acceptedAt = performance.now();
  /** Undoes the listening on the task's signal. */
  forget: (() => void) | null = null;
  limits: TaskLimits | null = null;
  /** Fires when a limit, or the grace after an abort, may be over. */
  timer: NodeJS.Timeout | undefined = undefined;
  /** For one worker alone: it can be given to no other. */
  pinned = false;

  constructor(
    readonly handler: Handler,
    public payload: unknown,
    readonly transferList: readonly Transferable[] | null,
    /** Has a signal: the worker may well have to be terminated for it, so it shares one with no other. */
    readonly abortable: boolean,
    readonly resolve: (value: unknown) => void,
    readonly reject: (error: unknown) => void,
  ) {}

  /** Its wait is limited. */
  get mayExpire(): boolean {
    return this.limits !== null && this.limits.queueMs < Infinity;
  }

  /** Its worker may have to be terminated while it runs. */
  get mayEndWorker(): boolean {
    return this.abortable || (this.limits !== null && this.limits.runMs < Infinity);
  }

  /** Once it is posted it cannot be given to another worker: its payload went with the message, or it is pinned. */
  get fixed(): boolean {
    return this.transferList !== null || this.pinned;
  }
}

export class TaskQueue implements WaitQueue {
  #first: Task | null = null;
  #last: Task | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  peek(): Task | null {
    return this.#first;
  }

  push(task: Task): void {
    task.previous = this.#last;
    if (this.#last === null) this.#first = task;
    else this.#last.next = task;
    this.#last = task;
    this.#length++;
  }

  shift(): Task | null {
    const task = this.#first;
    if (task !== null) this.remove(task);
    return task;
  }

  unshift(tasks: readonly Task[]): void {
    for (let i = tasks.length - 1; i >= 0; i--) {
      const task = tasks[i]!;
      task.next = this.#first;
      if (this.#first === null) this.#last = task;
      else this.#first.previous = task;
      this.#first = task;
      this.#length++;
    }
  }

  remove(task: Task): void {
    // A balancer may abort the task that it is asked about, which is out of the queue meanwhile.
    if (task.previous === null && task !== this.#first) return;
    if (task.previous === null) this.#first = task.next;
    else task.previous.next = task.next;
    if (task.next === null) this.#last = task.previous;
    else task.next.previous = task.previous;
    task.previous = null;
    task.next = null;
    this.#length--;
  }
}
