// The task queues that come with Piscina, and what a queue of one's own must be.
//
// `FixedQueue` is a ring that doubles when it is full: both ends take constant time, and so does
// looking whether it is empty. `remove` searches, from the front, and closes the gap from the
// shorter side. Slots that are not in use hold nothing, so a removed task can be collected.

import assert from 'node:assert';
import { bareList } from '../base/intrinsics.js';

/** The property of a task that its queue may look at. */
export const queueOptionsSymbol: unique symbol = Symbol.for('Piscina.queueOptions') as never;

/** What every queue can rely on in a task. */
export interface Task {
  /**
   * An object or null. `any`, for to programs that read it by Piscina's static symbol it is, in
   * Piscina's types.
   */
  readonly [queueOptionsSymbol]: any;
}

/** A task as queues and load balancers see it. */
export interface PiscinaTask extends Task {
  taskId: number;
  filename: string;
  name: string;
  created: number;
  isAbortable: boolean;
}

/** Where tasks wait. `shift` gives the next one, or null. */
export interface TaskQueue {
  readonly size: number;
  shift(): Task | null;
  remove(task: Task): void;
  push(task: Task): void;
  unshift?(task: Task): void;
}

/** Whether the value can be used as `options.taskQueue`. */
export function isTaskQueue(value: unknown): value is TaskQueue {
  if (typeof value !== 'object' || value === null || !('size' in value)) return false;
  const { shift, remove, push } = value as Partial<TaskQueue>;
  return typeof shift === 'function' && typeof remove === 'function' && typeof push === 'function';
}

const kLeastSlots = 16;

export class FixedQueue implements TaskQueue {
  /** Its length is a power of two, so that a mask wraps an index around. */
  #slots: (Task | undefined)[] = emptySlots(kLeastSlots);
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  isEmpty(): boolean {
    return this.#size === 0;
  }

  push(task: Task): void {
    this.#grow();
    this.#slots[this.#at(this.#size++)] = task;
  }

  unshift(task: Task): void {
    this.#grow();
    this.#first = this.#at(-1);
    this.#slots[this.#first] = task;
    this.#size++;
  }

  shift(): Task | null {
    if (this.#size === 0) return null;
    const task = this.#slots[this.#first]!;
    this.#slots[this.#first] = undefined;
    this.#first = this.#at(1);
    this.#size--;
    this.#shrink();
    return task;
  }

  /** Does nothing if the task is not in the queue. */
  remove(task: Task): void {
    const slots = this.#slots;
    for (let i = 0; i < this.#size; i++) {
      if (slots[this.#at(i)] !== task) continue;
      if (i < this.#size / 2) {
        for (let j = i; j > 0; j--) slots[this.#at(j)] = slots[this.#at(j - 1)];
        slots[this.#first] = undefined;
        this.#first = this.#at(1);
      } else {
        for (let j = i; j < this.#size - 1; j++) slots[this.#at(j)] = slots[this.#at(j + 1)];
        slots[this.#at(this.#size - 1)] = undefined;
      }
      this.#size--;
      this.#shrink();
      return;
    }
  }

  /** Where the task lies that has `ahead` tasks before it. */
  #at(ahead: number): number {
    return (this.#first + ahead) & (this.#slots.length - 1);
  }

  #grow(): void {
    if (this.#size === this.#slots.length) this.#resize(this.#size * 2);
  }

  /** A burst does not keep its memory for ever. */
  #shrink(): void {
    const { length } = this.#slots;
    if (length > kLeastSlots && this.#size <= length / 8) this.#resize(length / 2);
  }

  #resize(length: number): void {
    const slots = emptySlots(length);
    for (let i = 0; i < this.#size; i++) slots[i] = this.#slots[this.#at(i)];
    this.#slots = slots;
    this.#first = 0;
  }
}

function emptySlots(length: number): (Task | undefined)[] {
  const slots = bareList<Task | undefined>();
  for (let i = 0; i < length; i++) slots[i] = undefined;
  return slots;
}

export class ArrayTaskQueue implements TaskQueue {
  tasks: Task[] = [];

  get size(): number {
    return this.tasks.length;
  }

  shift(): Task | null {
    return this.tasks.shift() ?? null;
  }

  push(task: Task): void {
    this.tasks.push(task);
  }

  unshift(task: Task): void {
    this.tasks.unshift(task);
  }

  /** @throws AssertionError if the task is not in the queue. */
  remove(task: Task): void {
    const index = this.tasks.indexOf(task);
    assert.notStrictEqual(index, -1);
    this.tasks.splice(index, 1);
  }
}
