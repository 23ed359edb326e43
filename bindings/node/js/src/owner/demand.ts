// Who waits for threads, the queue and the calls of `ready()`, and what becomes of them.
//
// Guarantees: while somebody waits a thread serves, or starts, or who waits is told what keeps
// threads from starting. A call of `ready()` resolves once so many threads as the pool keeps, at
// least one, can serve.

import { bareList, MathMax, PromiseThen, SafePromise } from '../base/intrinsics.js';
import { thisLoop } from '../wait/loop.js';
import type { Crew } from './crew.js';
import type { Failures } from './failures.js';
import type { Ledger } from './ledger.js';
import type { FailedStart } from './starts.js';
import type { Outcome, WaitQueue } from './task.js';

interface Call {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Demand {
  readonly #crew: Crew;
  readonly #queue: WaitQueue;
  readonly #ledger: Ledger;
  readonly #failures: Failures;
  #calls: Call[] = bareList();

  constructor(crew: Crew, queue: WaitQueue, ledger: Ledger, failures: Failures) {
    this.#crew = crew;
    this.#queue = queue;
    this.#ledger = ledger;
    this.#failures = failures;
  }

  /** So many threads a call of `ready()` waits for. */
  get #wanted(): number {
    return MathMax(1, this.#crew.size.minThreads);
  }

  /** Starts the threads that are missing, also for tasks, so many at least. */
  ensure(least = 0): void {
    // Who waits for `ready()` waits for a thread as a task does.
    const calls = this.#calls.length > 0 ? 1 : 0;
    this.#startFor(MathMax(this.#queue.length, least, calls));
    this.tellHopeless();
  }

  /** A thread is ready. */
  onReady(isOpen: boolean): void {
    this.#answer();
    // Others may have waited for it to be ready. Tasks are not counted: it will take some.
    if (isOpen) this.#startFor(0);
  }

  #startFor(waiting: number): void {
    try {
      this.#crew.ensure(waiting);
    } catch (error) {
      // The system refused a thread. Those that run go on; with none, nobody would come.
      const end = { threadId: -1, exitCode: 1, error };
      if (this.#crew.all.length === 0) this.#rejectWaiters({ end, loadFailure: null });
    }
  }

  /** If no thread will come, who waits for one is told why. */
  tellHopeless(): void {
    const why = this.#crew.despair;
    if (why !== null) this.#rejectWaiters(why);
  }

  #rejectWaiters(why: FailedStart): void {
    const { serving } = this.#crew;
    if (serving === 0) this.#rejectQueue(why);
    if (serving < this.#wanted) this.rejectCalls(() => this.#failures.ofStart(why));
  }

  #rejectQueue(why: FailedStart): void {
    if (why.loadFailure === null) {
      this.reject('lost', () => this.#failures.ofStart(why));
      return;
    }
    const { threadId } = why.end;
    for (let task = this.#queue.shift(); task !== null; task = this.#queue.shift()) {
      if (this.#ledger.settle(task, 'failed'))
        this.#failures.reject(task, this.#failures.ofStart(why), threadId);
    }
  }

  /** Rejects all that is queued. */
  reject(outcome: Outcome, error: () => unknown): void {
    for (let task = this.#queue.shift(); task !== null; task = this.#queue.shift()) {
      if (this.#ledger.settle(task, outcome)) task.reject(error());
    }
  }

  ready(): Promise<void> {
    thisLoop.hold();
    const ready = new SafePromise<void>((resolve, reject) => {
      this.#calls[this.#calls.length] = { resolve, reject };
    });
    const release = (): void => thisLoop.release();
    void PromiseThen(ready, release, release);
    this.#answer();
    if (this.#calls.length > 0) this.ensure();
    return ready;
  }

  #answer(): void {
    if (this.#calls.length === 0) return;
    const { takers } = this.#crew;
    let count = 0;
    for (let i = 0; i < takers.length; i++) {
      const { loadFailure, wasReady } = takers[i]!;
      // The file has not the export that the pool was made for.
      if (loadFailure !== null) {
        this.rejectCalls(() => this.#failures.ofLoad(loadFailure));
        return;
      }
      // An eager pool gives tasks to threads that still boot.
      if (wasReady) count++;
    }
    if (count < this.#wanted) return;
    const calls = this.#takeCalls();
    for (let i = 0; i < calls.length; i++) calls[i]!.resolve();
  }

  /** Rejects the calls of `ready()`, with an error each. */
  rejectCalls(error: () => unknown): void {
    const calls = this.#takeCalls();
    for (let i = 0; i < calls.length; i++) calls[i]!.reject(error());
  }

  #takeCalls(): Call[] {
    const calls = this.#calls;
    this.#calls = bareList();
    return calls;
  }
}
