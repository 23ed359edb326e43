// The calls of `ready()` that wait for threads.
//
// Guarantees: each resolves once so many threads as the pool keeps, at least one, can serve; or
// rejects with what keeps them from it, as soon as that is known.

import { SafePromise } from '../base/intrinsics.js';
import type { WorkerHandle } from './worker-handle.js';

interface Call {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class ReadyCalls {
  #calls: Call[] = [];
  readonly #wanted: number;

  constructor(minThreads: number) {
    this.#wanted = minThreads > 1 ? minThreads : 1;
  }

  get length(): number {
    return this.#calls.length;
  }

  add(): Promise<void> {
    return new SafePromise<void>((resolve, reject) => {
      this.#calls[this.#calls.length] = { resolve, reject };
    });
  }

  /**
   * Looks at the threads that take tasks. `undefined`: the calls are answered, or wait on; else a
   * thread whose file has not the export that the pool was made for.
   */
  look(takers: readonly WorkerHandle[]): WorkerHandle | undefined {
    let count = 0;
    for (let i = 0; i < takers.length; i++) {
      const worker = takers[i]!;
      if (worker.loadFailure !== null) return worker;
      // An eager pool gives tasks to threads that still boot.
      if (worker.wasReady) count++;
    }
    if (count >= this.#wanted) {
      const calls = this.#take();
      for (let i = 0; i < calls.length; i++) calls[i]!.resolve();
    }
    return undefined;
  }

  reject(error: () => unknown): void {
    const calls = this.#take();
    for (let i = 0; i < calls.length; i++) calls[i]!.reject(error());
  }

  #take(): Call[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }
}
