// A task queue of Piscina's kind in the place of the dispatcher's own.
//
// That queue decides the order; which tasks wait is known here as well, so that one that loses
// tasks, gives them twice, gives what it was never given, or throws, can change the order of tasks
// but not lose any. `length` counts the tasks themselves. A queue that gives null while it says
// that it is not empty holds tasks back, and they wait; one that is empty while tasks wait has lost
// them, and the oldest goes next.
//
// What was taken out and is put back goes to the queue's own `unshift`. Where it has none, it is
// kept here, in front: a push would give the task that waited longest the last place.

import { bareList } from '../base/intrinsics.js';
import { TaskQueue as OwnQueue, type Task, type WaitQueue } from '../owner/task.js';
import type { TaskQueue } from './queues.js';
import { TaskInfo, type InfoTask } from './task-info.js';

export class ForeignQueue implements WaitQueue {
  readonly isOwn = false;
  readonly #queue: TaskQueue;
  /** All that wait, in the order in which they came. */
  readonly #waiting = new OwnQueue();
  /** Those that were taken out of the queue and put back, so many; the last goes first. */
  readonly #front: (Task | null)[] = bareList();
  #frontCount = 0;
  #released = false;

  constructor(queue: TaskQueue) {
    this.#queue = queue;
  }

  get length(): number {
    return this.#waiting.length;
  }

  peek(): Task | null {
    const task = this.#next();
    if (task !== null) this.#putInFront(task);
    return task;
  }

  /** Throws what the queue throws; the task does not wait then. */
  push(task: Task): void {
    this.#queue.push((task as InfoTask).info);
    // The queue's own code may have aborted it.
    if (!task.settled) this.#waiting.push(task);
  }

  shift(): Task | null {
    const task = this.#next();
    if (task !== null) this.#waiting.remove(task);
    return task;
  }

  unshift(tasks: readonly Task[]): void {
    for (let i = tasks.length - 1; i >= 0; i--) {
      const task = tasks[i]!;
      if (task.settled) continue;
      if (!this.#waiting.has(task)) this.#waiting.unshift([task]);
      if (!this.#giveBack(task)) this.#putInFront(task);
    }
  }

  #putInFront(task: Task): void {
    this.#front[this.#frontCount++] = task;
  }

  #giveBack(task: Task): boolean {
    const queue = this.#queue;
    // What is in front goes before all that the queue has.
    if (queue.unshift === undefined || this.#frontCount > 0) return false;
    try {
      queue.unshift((task as InfoTask).info);
      return true;
    } catch {
      return false;
    }
  }

  remove(task: Task): void {
    if (!this.#waiting.has(task)) return;
    this.#waiting.remove(task);
    if (this.#removeFromFront(task)) return;
    try {
      this.#queue.remove((task as InfoTask).info);
    } catch {
      // It does not have the task, or cannot let it go: one that does not wait is left out anyway.
    }
  }

  #removeFromFront(task: Task): boolean {
    let left = 0;
    for (let i = 0; i < this.#frontCount; i++) {
      const put = this.#front[i]!;
      this.#front[i] = null;
      if (put !== task) this.#front[left++] = put;
    }
    const had = left < this.#frontCount;
    this.#frontCount = left;
    return had;
  }

  /** From now on every task is handed out, whatever the queue holds back. */
  release(): void {
    this.#released = true;
  }

  /** The next task, which still counts as waiting. */
  #next(): Task | null {
    if (this.#frontCount > 0) {
      const put = this.#front[--this.#frontCount]!;
      this.#front[this.#frontCount] = null;
      return put;
    }
    const given = this.#ask();
    if (given !== undefined && !(given === null && this.#released)) return given;
    return this.#waiting.peek();
  }

  /**
   * What the queue gives: null if it holds back what it has, undefined if it has nothing that
   * waits.
   */
  #ask(): Task | null | undefined {
    try {
      // More than it says it has is not asked of it.
      for (let left = this.#queue.size; left > 0; left--) {
        const given: unknown = this.#queue.shift();
        if (given === null || given === undefined) return null;
        const task = TaskInfo.taskOf(given);
        if (task !== null && this.#waiting.has(task)) return task;
      }
    } catch {
      // The order is the queue's to give; the tasks are the pool's.
    }
    return undefined;
  }
}
