// A task on the caller's side, and the queue that tasks wait in.
//
// | a task is | `holder` | `slot` | `settled` | `asked` |
// |---|---|---|---|---|
// | queued | null | -1 | no | null |
// | given to a worker, and about to be posted | it | -1 | no | null |
// | posted, or running (its slot's state says which) | it | its slot | no | null |
// | asked to end, its caller answered, its worker still in it | it | its slot | no | why |
// | settled | null | -1 | yes | null or why |
//
// A task that was taken back, or whose worker died before it began, is queued again.
//
// The queue is a list through the tasks themselves: adding at either end and removing from the
// middle (an aborted task) take constant time, and what was removed leaves nothing behind.

import type { Transferable } from 'node:worker_threads';
import { MathMax, now } from '../base/intrinsics.js';
import type { Handler } from './handlers.js';
import type { RetryState } from './retries.js';
import type { TaskTrace } from './tracing.js';
import type { WorkerHandle } from './worker-handle.js';

/** Why a task settled, for the counters. */
export type Outcome =
  'completed' | 'failed' | 'aborted' | 'queueTimedOut' | 'timedOut' | 'lost' | 'cancelled';

/** The time limits of a task, in ms; Infinity where there is none. */
export interface TaskLimits {
  /** From its acceptance to its start. */
  readonly queueMs: number;
  /** From its start to its end. */
  readonly runMs: number;
}

/** What decides about a task's place among those that wait. */
export interface Rank {
  readonly priority: number;
  readonly group: string;
}

/**
 * What a call asked for beyond its limits, and who follows its task. Most tasks have none of it.
 */
class Terms {
  rank: Rank | null = null;
  /** Where the time of its run is entered, and what was entered for it so far, in ms. */
  account: { usedMs: number } | null = null;
  chargedMs = 0;
  /** Tasks of the same key go to the same worker, where that is not busy for long. */
  key: string | null = null;
  /** How it is tried again. */
  retry: RetryState | null = null;
  /** When it waits for that worker no longer; 0: it has not waited. */
  spillsAt = 0;
  /** Called once, when the task has settled: also one that the pool never accepted. */
  onEnd: ((outcome: Outcome) => void) | null = null;
  /** Gets what the handler threw, in place of the caller's promise. */
  fail: ((error: unknown, where: string) => void) | null = null;
}

/** Where accepted tasks wait. A task is in it at most once. */
export interface WaitQueue {
  /** Whether it runs no code of the user's, so that it may be looked into. */
  readonly isOwn: boolean;
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
  /** Its slot while it is posted, else -1. */
  slot = -1;
  /** What it was expected to take when it was posted, in ms. */
  expectedMs = 0;
  settled = false;
  /** Its caller has an answer, and its worker has yet to end it: why. */
  asked: Outcome | null = null;
  /** Workers that ended while it was posted to them and not begun. */
  deaths = 0;
  /** The worker that it was given to. */
  holder: WorkerHandle | null = null;
  /** When it was made, at its caller's call: what it waits in front of the pool counts. */
  acceptedAt = now();
  /** Undoes the listening on the task's signal. */
  forget: (() => void) | null = null;
  limits: TaskLimits | null = null;
  /** Fires when a limit, or the grace after an abort, may be over. */
  timer: NodeJS.Timeout | undefined = undefined;
  /** What is told of it to those who trace. */
  trace: TaskTrace | null = null;
  terms: Terms | null = null;
  /** For one worker alone: it can be given to no other. */
  pinned = false;

  constructor(
    readonly handler: Handler,
    public payload: unknown,
    readonly transferList: readonly Transferable[] | null,
    /**
     * Has a signal: the worker may well have to be terminated for it, so it shares one with no
     * other.
     */
    readonly abortable: boolean,
    readonly resolve: (value: unknown) => void,
    readonly reject: (error: unknown) => void,
  ) {}

  /** Its terms, made when they are first asked for. */
  withTerms(): Terms {
    return (this.terms ??= new Terms());
  }

  /** What the handler throws goes to `fail`, with the thread that it comes from. */
  failTo(fail: (error: unknown, where: string) => void): void {
    this.withTerms().fail = fail;
  }

  /** Has `onEnd` called once, when it has settled or will never be accepted. It must not throw. */
  follow(onEnd: (outcome: Outcome) => void): void {
    const terms = this.withTerms();
    const first = terms.onEnd;
    terms.onEnd =
      first === null
        ? onEnd
        : (outcome) => {
            first(outcome);
            onEnd(outcome);
          };
  }

  /** It has settled, or will never be accepted: whoever follows it is told, once. */
  end(outcome: Outcome): void {
    const { terms } = this;
    if (terms === null || terms.onEnd === null) return;
    const { onEnd } = terms;
    terms.onEnd = null;
    onEnd(outcome);
  }

  /** It has run: enters its time, and tells those who trace. */
  noteRun(waitMs: number, runMs: number, threadId: number): void {
    const { terms, trace } = this;
    if (terms !== null && terms.account !== null) {
      terms.account.usedMs += runMs - terms.chargedMs;
      terms.account = null;
    }
    if (trace === null) return;
    // The clocks of two threads may differ by some µs.
    trace.queueTime = MathMax(0, waitMs);
    trace.runTime = runMs;
    trace.threadId = threadId;
  }

  /** Its worker may have to be terminated while it runs. */
  get mayEndWorker(): boolean {
    return this.abortable || (this.limits !== null && this.limits.runMs < Infinity);
  }

  /** It waits for the worker of its key, and is not to be given to another yet. */
  get sticks(): boolean {
    return this.terms !== null && this.terms.spillsAt > 0 && now() < this.terms.spillsAt;
  }

  /**
   * Once it is posted it cannot be given to another worker: its payload went with the message, or
   * it is pinned.
   */
  get fixed(): boolean {
    return this.transferList !== null || this.pinned;
  }
}

/** Makes the task of a call; what it is given is what the constructor of {@link Task} is. */
export type TaskMaker = (...parts: ConstructorParameters<typeof Task>) => Task;

export const makeTask: TaskMaker = (handler, payload, transferList, abortable, resolve, reject) =>
  new Task(handler, payload, transferList, abortable, resolve, reject);

export class TaskQueue implements WaitQueue {
  readonly isOwn = true;
  #first: Task | null = null;
  #last: Task | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  has(task: Task): boolean {
    return task.previous !== null || task === this.#first;
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
    if (!this.has(task)) return;
    if (task.previous === null) this.#first = task.next;
    else task.previous.next = task.next;
    if (task.next === null) this.#last = task.previous;
    else task.next.previous = task.previous;
    task.previous = null;
    task.next = null;
    this.#length--;
  }
}
