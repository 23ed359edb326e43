// What a TypeScript ES module that was written for Piscina may write, with `cenote/piscina`
// instead. Compiled, never run.

import PiscinaDefault, {
  ArrayTaskQueue,
  FixedQueue,
  isWorkerThread,
  move,
  Piscina,
  queueOptionsSymbol,
  transferableSymbol,
  valueSymbol,
  version,
  workerData,
  type CloseOptions,
  type FilledOptions,
  type Options,
  type PiscinaHistogram,
  type PiscinaHistogramSummary,
  type PiscinaLoadBalancer,
  type PiscinaTask,
  type PiscinaWorker,
  type RunOptions,
  type TaskQueue,
  type Transferable,
  type TransferList,
} from 'cenote/piscina';
import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';

/** Compiles only if both types are the same, and neither is `any`. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<T extends true>(): T | undefined {
  return undefined;
}

holds<Same<typeof PiscinaDefault, typeof Piscina>>();
holds<Same<typeof Piscina.Piscina, typeof Piscina>>();
holds<Same<typeof isWorkerThread, boolean>>();
holds<Same<typeof version, string>>();

class ByPriority implements TaskQueue {
  readonly #tasks: PiscinaTask[] = [];

  get size(): number {
    return this.#tasks.length;
  }

  shift(): PiscinaTask | null {
    return this.#tasks.shift() ?? null;
  }

  push(task: PiscinaTask): void {
    const options = task[queueOptionsSymbol] as { priority: number } | null;
    this.#tasks.splice(options?.priority ?? 0, 0, task);
  }

  remove(task: PiscinaTask): void {
    this.#tasks.splice(this.#tasks.indexOf(task), 1);
  }
}

const leastBusy: PiscinaLoadBalancer = (task: PiscinaTask, workers: PiscinaWorker[]) => {
  const free = workers.filter(
    (worker) => worker.currentUsage === 0 && !worker.destroyed && !worker.terminating,
  );
  const summary: PiscinaHistogramSummary | null | undefined = free[0]?.histogram;
  return task.isAbortable && summary === null ? null : (free[0] ?? null);
};

const options: Options = {
  filename: new URL('./worker.js', import.meta.url).href,
  name: 'default',
  minThreads: 1,
  maxThreads: 1.5,
  idleTimeout: Infinity,
  maxQueue: 'auto',
  concurrentTasksPerWorker: 2,
  atomics: 'async',
  atomicsTimeout: 5_000,
  resourceLimits: { maxOldGenerationSizeMb: 64 },
  argv: ['a'],
  execArgv: ['--no-warnings'],
  env: { A: '1' },
  workerData: { any: ['thing'] },
  taskQueue: new ByPriority(),
  niceIncrement: 1,
  trackUnmanagedFds: true,
  closeTimeout: 1_000,
  recordTiming: true,
  stricterFIFO: true,
  loadBalancer: leastBusy,
  workerHistogram: true,
};

interface Job {
  readonly n: number;
}

class Own implements Transferable {
  readonly #buffer = new ArrayBuffer(8);

  get [transferableSymbol](): object {
    return [this.#buffer];
  }

  get [valueSymbol](): object {
    return { buffer: this.#buffer };
  }
}

export async function use(signal: AbortSignal, transferList: TransferList): Promise<void> {
  await using pool = new Piscina<Job, string>(options);
  const call: RunOptions = { transferList, filename: null, name: null, signal };
  const result = await pool.run({ n: 1 }, call);
  holds<Same<typeof result, string>>();
  const results = await pool.broadcastTask({ n: 1 }, { signal: new EventEmitter() });
  holds<Same<typeof results, string[]>>();
  // @ts-expect-error: not the pool's task
  await pool.run({ n: '1' });

  // Without types, anything goes, as in Piscina.
  const untyped: Piscina = new PiscinaDefault();
  const anything: number = await untyped.run('a');

  const histogram: PiscinaHistogram = pool.histogram;
  histogram.resetRunTime();
  const numbers: number[] = [
    pool.queueSize,
    pool.completed,
    pool.utilization,
    pool.duration,
    pool.idleThreads,
    anything,
  ];
  numbers.push(
    pool.minThreads,
    pool.maxThreads,
    histogram.waitTime.p97_5,
    histogram.runTime.p0_001,
  );
  const threads: Worker[] = pool.threads;
  const filled: FilledOptions = pool.options;
  const queue: TaskQueue = filled.taskQueue;
  const flags: boolean[] = [pool.needsDrain, isWorkerThread, queue instanceof FixedQueue];
  pool.on('drain', () => {}).once('message', (message: Job) => void message.n);

  const fixed: FixedQueue = new FixedQueue();
  const array: ArrayTaskQueue = new ArrayTaskQueue();
  flags.push(fixed.isEmpty(), array.tasks.length === 0, threads.length === numbers.length);
  move(new ArrayBuffer(8));
  move(new Uint8Array(8));
  move(new Own());
  // @ts-expect-error: nothing that can be moved
  move(12);
  void workerData;

  const force: CloseOptions = { force: true };
  await pool.close(force);
  await pool.destroy();
  // @ts-expect-error: Piscina takes no such option
  new Piscina({ maxThread: 1 });
  // @ts-expect-error: a URL object is no filename there
  new Piscina({ filename: new URL(import.meta.url) });
}
