// Which tasks a pool accepts.
//
// Guarantee: at most `maxThreads * concurrency + maxQueue` tasks are accepted and unsettled. Places
// that are kept for those who wait in front of the pool count as taken. Where the pool is eager,
// its dispatcher refuses a task that waits while `maxQueue` others do, and only those who wait in
// front of the pool are let in by that sum.

import { MathMin, queueMicrotask } from '../base/intrinsics.js';
import type { PoolErrors } from '../errors.js';
import type { Ledger } from './ledger.js';
import type { Task } from './task.js';

interface AcceptanceLimits {
  readonly maxThreads: number;
  readonly concurrency: number;
  readonly maxQueue: number;
  readonly eager: boolean;
}

/** Who hears that the pool is full, and that nothing waits in it any more. Must not throw. */
export interface FullnessListener {
  onFull?(): void;
  onDrained?(): void;
}

export class Acceptance {
  readonly ledger: Ledger;
  readonly #errors: PoolErrors;
  #maxThreads: number;
  readonly #limits: AcceptanceLimits;
  readonly #listener: FullnessListener;
  /** As many tasks may be accepted and unsettled. */
  #most = 0;
  /** Free places that are kept for those who wait in front of the pool. */
  reserved = 0;

  constructor(
    limits: AcceptanceLimits,
    ledger: Ledger,
    errors: PoolErrors,
    listener: FullnessListener,
  ) {
    this.#limits = limits;
    this.ledger = ledger;
    this.#errors = errors;
    this.#listener = listener;
    this.#maxThreads = limits.maxThreads;
    this.#setMost();
    ledger.onLow = () => queueMicrotask(() => listener.onDrained?.());
  }

  #setMost(): void {
    this.#most = this.#places + this.#limits.maxQueue;
  }

  get #places(): number {
    return this.#maxThreads * this.#limits.concurrency;
  }

  /** The pool has another number of threads. */
  resize(maxThreads: number): void {
    this.#maxThreads = maxThreads;
    this.#setMost();
    this.ledger.onRoom?.();
  }

  get isFull(): boolean {
    return !this.#limits.eager && this.hasNoRoom;
  }

  /** Whether those who wait in front of the pool have to go on waiting. */
  get hasNoRoom(): boolean {
    return this.ledger.unsettled + this.reserved >= this.#most;
  }

  /** Places that no accepted task has. */
  get freePlaces(): number {
    return this.#most - this.ledger.unsettled;
  }

  /** Counts a task. */
  accept(): void {
    this.ledger.accept();
    if (this.ledger.unsettled === this.#most) this.#tellFull();
  }

  #tellFull(): void {
    if (this.ledger.lowMark >= 0) return;
    this.ledger.lowMark = MathMin(this.#places, this.#most - 1);
    queueMicrotask(() => this.#listener.onFull?.());
  }

  refuse(task: Task): void {
    this.ledger.refused++;
    task.forget?.();
    task.end('cancelled');
    task.reject(this.#errors.queueFull(this.#places, this.#limits.maxQueue));
  }
}
