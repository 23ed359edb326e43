// Worker threads without a pool: what people write around `postMessage` when they need no more.
//
// One Worker a thread, a task to the one with the fewest, and a map from a task's number to its
// promise. Every task is posted at once, so nothing waits in the owner. A handler's error rejects
// its task; a thread's end rejects what it had. This is the price of the platform, which no pool
// on `postMessage` goes below.

import { Worker } from 'node:worker_threads';

export class RawWorkers {
  #nextId = 0;
  /** [{ worker, pending: Map from number to { resolve, reject } }], one a thread. */
  #threads;

  /** @param script the worker file, which gets `workerData` */
  constructor(script, threads, workerData) {
    this.#threads = Array.from({ length: threads }, () => this.#start(script, workerData));
  }

  #start(script, workerData) {
    const worker = new Worker(script, { workerData });
    const pending = new Map();
    const rejectAll = (error) => {
      for (const { reject } of pending.values()) reject(error);
      pending.clear();
    };
    worker.on('message', (message) => {
      const { resolve, reject } = pending.get(message.id);
      pending.delete(message.id);
      if ('error' in message) reject(message.error);
      else resolve(message.result);
    });
    worker.on('error', rejectAll);
    worker.on('exit', (code) => rejectAll(new Error(`the worker ended (exit code ${code})`)));
    return { worker, pending };
  }

  run(task) {
    let least = this.#threads[0];
    for (const one of this.#threads) if (one.pending.size < least.pending.size) least = one;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      least.pending.set(id, { resolve, reject });
      least.worker.postMessage({ id, task });
    });
  }

  async destroy() {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}
