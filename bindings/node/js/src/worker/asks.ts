// What the owner asks of tasks that run: to end, because they were aborted or their time is over.
//
// The owner writes into a word of the task's slot and wakes the worker. A handler that never yields
// reads the word itself (`context.aborted`); for the others, signals are looked at in each turn.

import { AtomicsLoad, SafeSet } from '../base/intrinsics.js';
import { kAsks, type Channel } from '../wire/channel.js';
import type { WorkerTaskContext } from './task-context.js';

export class Asks {
  readonly #channel: Channel;
  /** Contexts whose signal somebody has. */
  readonly #watching = new SafeSet<WorkerTaskContext>();
  #seen = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** What the task in a slot is asked. */
  of(slot: number): number {
    return AtomicsLoad(this.#channel.cells, this.#channel.askAt(slot));
  }

  /** Calls `context.look()` when a task was asked to end, until {@link unwatch}. */
  watch(context: WorkerTaskContext): void {
    this.#watching.add(context);
  }

  unwatch(context: WorkerTaskContext): void {
    this.#watching.delete(context);
  }

  /** Aborts the signals of tasks that were asked since the last look. */
  look(): void {
    const asks = AtomicsLoad(this.#channel.cells, kAsks);
    if (asks === this.#seen) return;
    this.#seen = asks;
    this.#watching.forEach((context) => context.look());
  }
}
