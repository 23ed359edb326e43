// Whether this thread is a worker of a pool, and with which `workerData`.
//
// Kept at a registered symbol of the global object and not in this module: a worker's own copy of
// the package, and the user's, may be different ones.

const kWorkerThread = Symbol.for('cenote.workerThread');

interface WorkerThread {
  readonly workerData: unknown;
}

function read(): WorkerThread | undefined {
  return (globalThis as { [kWorkerThread]?: WorkerThread })[kWorkerThread];
}

/** Says that this thread belongs to a pool. Called once, before any of the user's code. */
export function markWorkerThread(workerData: unknown): void {
  Object.defineProperty(globalThis, kWorkerThread, {
    value: Object.freeze({ workerData }),
    enumerable: false,
    configurable: true,
  });
}

/** Whether this thread belongs to a pool. */
export function isWorkerThread(): boolean {
  return read() !== undefined;
}

/** The pool's `workerData` in one of its workers, else undefined. */
export function workerDataOf(): unknown {
  return read()?.workerData;
}
