// What a TypeScript ES module may write, and what the compiler must refuse. Compiled, never run.

import DefaultPool, {
  AbortError,
  CenoteError,
  contextValues,
  move,
  Pool,
  type BackgroundCounts,
  type CenoteErrorCode,
  type ContextValues,
  type Handler,
  type LatencySummaries,
  type Lane,
  type LaneOptions,
  type LaneStats,
  type LatencySummary,
  type MapOptions,
  type MapOutcome,
  type OptionSource,
  type PoolEvents,
  type PoolOptions,
  type PoolStats,
  type ResolvedOptions,
  type RunOptions,
  type TaskContext,
  type TaskCounts,
  type TaskTrace,
  type WaitStages,
  type WorkerStats,
} from 'cenote';
import type { Worker } from 'node:worker_threads';

/** Compiles only if both types are the same, and neither is `any`. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<T extends true>(): T | undefined {
  return undefined;
}

holds<Same<typeof DefaultPool, typeof Pool>>();

interface Job {
  readonly n: number;
}

const options: PoolOptions = {
  filename: new URL('./worker.js', import.meta.url),
  name: 'default',
  minThreads: 1,
  maxThreads: 2,
  idleTimeout: Infinity,
  maxQueue: 10,
  concurrentTasksPerWorker: 1,
  workerData: { any: ['thing'] },
  env: { A: '1' },
  argv: ['a'],
  execArgv: ['--no-warnings'],
  resourceLimits: { stackSizeMb: 4 },
  maxSpinUs: 0,
  turnBudgetUs: 1_000,
  prefetchWindowUs: 0,
  queueTimeout: 1_000,
  timeout: Infinity,
  abortGrace: 0,
  bootTimeout: 60_000,
};

export async function use(signal: AbortSignal, port: MessagePort): Promise<void> {
  const untyped = new Pool();
  holds<Same<Awaited<ReturnType<typeof untyped.run>>, unknown>>();

  await using pool = new Pool<Job, string>(options);
  const result = await pool.run({ n: 1 });
  holds<Same<typeof result, string>>();
  // @ts-expect-error: the pool's tasks are jobs
  await pool.run({ m: 1 });

  const other = await pool.run<string[], number>(['a'], { filename: 'b.js', name: 'c', signal });
  holds<Same<typeof other, number>>();
  // @ts-expect-error: the call says that its payload is an array of strings
  await pool.run<string[], number>([1], { name: 'c' });
  await pool.run({ n: 2 }, { transferList: [new ArrayBuffer(8)] });
  await pool.run({ n: 2 }, { timeout: 1, queueTimeout: Infinity });
  // @ts-expect-error: no such option of a call
  await pool.run({ n: 2 }, { abortGrace: 1 });
  // @ts-expect-error: a number
  await pool.run({ n: 2 }, { timeout: '1' });
  // @ts-expect-error: a number
  new Pool({ bootTimeout: '1' });

  holds<Same<ReturnType<typeof pool.ready>, Promise<void>>>();
  holds<Same<typeof pool.options.queueTimeout, number>>();
  holds<Same<typeof pool.options.timeout, number>>();
  holds<Same<typeof pool.options.abortGrace, number>>();
  holds<Same<typeof pool.options.bootTimeout, number>>();

  const bytes = new Pool<ArrayBuffer, number>();
  await bytes.run(move(new ArrayBuffer(8)));
  await new Pool<Uint8Array>().run(move(new Uint8Array(8)));
  // @ts-expect-error: a signal is an AbortSignal
  await pool.run({ n: 2 }, { signal: 'abort' });
  // @ts-expect-error: no such option of a pool
  new Pool({ threads: 1 });
  // @ts-expect-error: a number
  new Pool({ maxThreads: '1' });
  // @ts-expect-error: what is in force cannot be changed
  pool.options.maxQueue = 1;

  holds<Same<typeof pool.options, ResolvedOptions>>();
  holds<Same<typeof pool.options.sources.maxQueue, OptionSource>>();
  holds<Same<typeof pool.threads, Worker[]>>();
  holds<Same<typeof pool.queueSize, number>>();
  holds<Same<typeof pool.completed, number>>();

  pool.on('backgroundError', (error, threadId) => {
    holds<Same<typeof error, unknown>>();
    holds<Same<typeof threadId, number>>();
  });
  pool.on('workerLost', (error, exitCode, threadId) => {
    holds<Same<typeof error, unknown>>();
    holds<Same<typeof exitCode, number>>();
    holds<Same<typeof threadId, number>>();
  });

  pool.on('message', (message, threadId) => {
    holds<Same<typeof message, unknown>>();
    holds<Same<typeof threadId, number>>();
  });

  const stats: PoolStats = pool.stats();
  const wait: LatencySummary = stats.queueWait;
  const tasks: TaskCounts = stats.tasks;
  const background: BackgroundCounts = stats.background;
  const stages: WaitStages = stats.stages;
  const workers: readonly WorkerStats[] = stats.workers;
  const summaries: LatencySummaries = stats;
  holds<Same<typeof wait.p999, number>>();
  holds<Same<typeof tasks.completed, number>>();
  holds<Same<typeof tasks.queueTimedOut, number>>();
  holds<Same<typeof tasks.timedOut, number>>();
  void [background, stages, workers, summaries, port];

  holds<Same<typeof tasks.failed, number>>();

  const runOptions: RunOptions = { signal };
  const events: (keyof PoolEvents)[] = ['backgroundError', 'workerLost', 'message'];
  void [runOptions, events];

  const closed: Promise<void> = pool.close();
  const destroyed: Promise<void> = pool.destroy();
  await Promise.all([closed, destroyed]);
}

/** The payload may be left out where it may be undefined, and nowhere else. */
export async function withoutPayload(): Promise<void> {
  holds<Same<Awaited<ReturnType<typeof nothing>>, string>>();
  const nothing = () => new Pool<void, string>().run();
  const maybe = await new Pool<number | undefined, boolean>().run();
  holds<Same<typeof maybe, boolean>>();
  const untyped = await new Pool().run();
  holds<Same<typeof untyped, unknown>>();
  const said = await new Pool().run<Date>();
  holds<Same<typeof said, Date>>();
  const named = await new Pool<void, string>().run(undefined, { name: 'other' });
  holds<Same<typeof named, unknown>>();
  await new Pool<void, string>().run(undefined, { timeout: 1 });
  // @ts-expect-error: there must be a job
  await new Pool<Job, string>().run();
  // @ts-expect-error: null is not undefined
  await new Pool<null, string>().run();
}

/** What a call that names another handler gives is not what the pool's own handler gives. */
export async function anotherHandler(pool: Pool<Job, string>, given: RunOptions): Promise<void> {
  const own = await pool.run({ n: 1 }, { timeout: 1 });
  holds<Same<typeof own, string>>();
  const silent = await pool.run({ n: 1 }, { name: 'other' });
  holds<Same<typeof silent, unknown>>();
  const file = await pool.run(['anything'], { filename: new URL('file:///b.js') });
  holds<Same<typeof file, unknown>>();
  const said = await pool.run<number>(['anything'], { name: 'other' });
  holds<Same<typeof said, number>>();
  const both = await pool.run<string[], number>(['a'], { name: 'other' });
  holds<Same<typeof both, number>>();
  // Options that may name another handler.
  const wide = await pool.run({ n: 1 }, given);
  holds<Same<typeof wide, unknown>>();
  // @ts-expect-error: what the pool's handler returns is no number, whatever the caller hopes for
  const hoped: number = await pool.run({ n: 1 });
  // @ts-expect-error: what another handler returns must be said
  const guessed: number = await pool.run({ n: 1 }, { name: 'other' });
  // @ts-expect-error: the pool's tasks are jobs
  await pool.run({ m: 1 }, { timeout: 1 });
  void [hoped, guessed];
}

/** A pool of some types is a pool, and helpers may be generic. */
export function helpers(pool: Pool<Job, string>): Pool[] {
  async function each<P, R>(workers: Pool<P, R>, tasks: readonly P[]): Promise<R[]> {
    return Promise.all(tasks.map((task) => workers.run(task)));
  }
  holds<Same<typeof results, Promise<string[]>>>();
  const results = each(pool, [{ n: 1 }]);
  return [pool];
}

export function readOnly(pool: Pool): void {
  // @ts-expect-error: it is read-only
  pool.threads = [];
  // @ts-expect-error: it is read-only
  pool.options = {};
  // @ts-expect-error: it is read-only
  pool.queueSize = 0;
}

export function explain(error: unknown): string {
  if (error instanceof CenoteError) {
    holds<Same<typeof error.code, CenoteErrorCode>>();
    // @ts-expect-error: no such code
    if (error.code === 'ERR_CENOTE_NO_SUCH_CODE') return 'never';
    return error.code;
  }
  if (error instanceof AbortError) return error.code satisfies 'ABORT_ERR';
  return 'other';
}

const handler: Handler<Job, string> = async ({ n }, context: TaskContext) => {
  context.waitUntil(Promise.resolve());
  // @ts-expect-error: only a promise can be waited for
  context.waitUntil(1);
  holds<Same<typeof context.signal, AbortSignal>>();
  holds<Same<typeof context.aborted, boolean>>();
  // @ts-expect-error: it is asked, not told
  context.aborted = true;
  await fetch('http://localhost/', { signal: context.signal });
  return String(n);
};
export default handler;

export const makesBytes: Handler<number, ArrayBuffer> = (n) => move(new ArrayBuffer(n));
const code: CenoteErrorCode[] = [
  'ERR_CENOTE_FILE_NOT_FOUND',
  'ERR_CENOTE_RECURSIVE_POOL',
  'ERR_CENOTE_QUEUE_TIMEOUT',
  'ERR_CENOTE_TIMEOUT',
  'ERR_CENOTE_BOOT_TIMEOUT',
];
void code;

holds<Same<ReturnType<typeof contextValues>, ContextValues | undefined>>();

async function mapped(pool: Pool<Job, string>): Promise<void> {
  const options: MapOptions = { concurrency: 4, ordered: false, context: { traceId: 'a' } };
  for await (const text of pool.map([{ n: 1 }], options)) holds<Same<typeof text, string>>();
  const source = (async function* () {
    yield { n: 1 };
  })();
  for await (const one of pool.map(source, { stopOnError: false }))
    holds<Same<typeof one, MapOutcome<string>>>();
  for await (const n of pool.map<number>([{ n: 1 }], { name: 'other' }))
    holds<Same<typeof n, number>>();
  // @ts-expect-error the items are the pool's payloads
  pool.map(['text']);
  // @ts-expect-error a payload of many tasks cannot be moved by a list
  pool.map([{ n: 1 }], { transferList: [] });
  holds<Same<Awaited<ReturnType<typeof pool.capacity>>, void>>();
  holds<Same<ReturnType<typeof pool.cancelPending>, number>>();
  await pool.run({ n: 1 }, { whenFull: 'wait', context: { traceId: 'a' } });
  // @ts-expect-error there is no such way
  await pool.run({ n: 1 }, { whenFull: 'block' });
}
void mapped;

type OptionalNumbers = [number | undefined, number | undefined, number | undefined];
function traced({ pool, name, queueTime, runTime, threadId }: TaskTrace): void {
  holds<Same<typeof pool, object>>();
  holds<Same<typeof name, string>>();
  holds<Same<[typeof queueTime, typeof runTime, typeof threadId], OptionalNumbers>>();
}
void traced;

async function inLanes(pool: Pool<Job, string>): Promise<void> {
  const limits: LaneOptions = { maxRunning: 2 };
  const lane = pool.lane('reports', limits);
  holds<Same<typeof lane, Lane<Job, string>>>();
  holds<Same<Awaited<ReturnType<typeof lane.run>>, string>>();
  holds<Same<ReturnType<typeof lane.stats>, LaneStats>>();
  // @ts-expect-error the payload is the pool's
  await lane.run('text');
  const other: Lane<string, number> = pool.lane<string, number>('other');
  holds<Same<Awaited<ReturnType<typeof other.run>>, number>>();
}
void inLanes;

// `exec()` takes the types of its function.
async function inline(pool: Pool): Promise<void> {
  const sum: number = await pool.exec((a: number, b: number) => a + b, 1, 2);
  const text: string = await pool.exec(async (n: number) => `${n}`, sum);
  // @ts-expect-error: an argument of another type
  await pool.exec((n: number) => n, text);
  // @ts-expect-error: an argument is missing
  await pool.exec((n: number) => n);
  // @ts-expect-error: a result of another type
  const wrong: string = await pool.exec(() => 1);
  void wrong;
}
void inline;
