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

import { bareList, firstOf, removeFrom, SafeSet } from '../base/intrinsics.js';
import type { Task, WaitQueue } from '../owner/task.js';
import type { TaskQueue } from './queues.js';
import { TaskInfo, type InfoTask } from './task-info.js';

export class ForeignQueue implements WaitQueue {
  readonly #queue: TaskQueue;
  /** All that wait, in the order in which they came. */
  readonly #waiting = new SafeSet<Task>();
  /** Those that were taken out of the queue and put back; the last goes first. */
  readonly #front: Task[] = bareList();
  #released = false;

  constructor(queue: TaskQueue) {
    this.#queue = queue;
  }

  get length(): number {
    return this.#waiting.size;
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
    if (!task.settled) this.#waiting.add(task);
  }

  shift(): Task | null {
    const task = this.#next();
    if (task !== null) this.#waiting.delete(task);
    return task;
  }

  unshift(tasks: readonly Task[]): void {
    for (let i = tasks.length - 1; i >= 0; i--) {
      const task = tasks[i]!;
      if (task.settled) continue;
      this.#waiting.add(task);
      if (!this.#giveBack(task)) this.#putInFront(task);
    }
  }

  #putInFront(task: Task): void {
    this.#front[this.#front.length] = task;
  }

  #giveBack(task: Task): boolean {
    const queue = this.#queue;
    // What is in front goes before all that the queue has.
    if (queue.unshift === undefined || this.#front.length > 0) return false;
    try {
      queue.unshift((task as InfoTask).info);
      return true;
    } catch {
      return false;
    }
  }

  remove(task: Task): void {
    if (!this.#waiting.delete(task)) return;
    if (removeFrom(this.#front, task)) return;
    try {
      this.#queue.remove((task as InfoTask).info);
    } catch {
      // It does not have the task, or cannot let it go: one that does not wait is left out anyway.
    }
  }

  /** From now on every task is handed out, whatever the queue holds back. */
  release(): void {
    this.#released = true;
  }

  /** The next task, which still counts as waiting. */
  #next(): Task | null {
    const put = this.#front[this.#front.length - 1];
    if (put !== undefined) {
      this.#front.length--;
      return put;
    }
    const given = this.#ask();
    if (given !== undefined && !(given === null && this.#released)) return given;
    // The oldest: a set keeps its order.
    return firstOf(this.#waiting) ?? null;
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
