// The dispatcher of a Piscina: which of Piscina's options become which of its own.
//
// Fractions of threads and of tasks are rounded up, as Piscina's comparisons do. What Piscina has
// no option for comes from where a `Pool` without options has it, so the environment variables
// hold.

import { MathCeil, MathMax, MathMin, ObjectGetPrototypeOf } from '../base/intrinsics.js';
import type { Balancer } from '../owner/dealer-options.js';
import { Dispatcher } from '../owner/dispatcher.js';
import type { DispatcherListener } from '../owner/dispatcher-options.js';
import { CenoteError, poolErrors, type PoolErrors, type WorkerEnd } from '../errors.js';
import type { HandlerTable } from '../owner/handlers.js';
import { requireWorkerFile } from '../owner/worker-file.js';
import { cpuCount } from '../wait/cpus.js';
import { warnPortable, whyPoolIsPortable } from '../wait/native.js';
import { kMaxConcurrency, kMaxTimerMs } from '../number-options.js';
import { resolveOptions, spinUnderPressure, wireByPort, type ResolvedOptions } from '../options.js';
import { workerOptions } from '../worker-options.js';
import type { WaitQueue } from '../owner/task.js';
import type { WorkerSpec } from '../owner/worker-events.js';
import { loadingNow } from '../worker/worker-state.js';
import { Errors } from './errors.js';
import { toPath } from './options.js';
import { OwnOrder } from './own-order.js';
import { ArrayTaskQueue, FixedQueue } from './queues.js';
import type { AddedOption, FilledOptions } from './types.js';

/** A user's balancer may give one worker this many tasks. It begins them all, as Piscina's do. */
const kBalancedConcurrency = 1_024;

/** What the options leave open. */
interface Parts {
  /** The options in a `Pool`'s words. */
  readonly own: ResolvedOptions;
  readonly handlers: HandlerTable;
  readonly queue: WaitQueue;
  readonly balancer: Balancer | null;
  readonly onTiming: WorkerSpec['onTiming'];
  /** Whether the worker was told to end. */
  wasTold(threadId: number): boolean;
}

/** How many threads there may be. */
export function threadsOf({ maxThreads }: FilledOptions): number {
  return MathCeil(maxThreads);
}

/** How many tasks one of them may run at once. */
export function concurrencyOf({ concurrentTasksPerWorker }: FilledOptions): number {
  return MathMin(kMaxConcurrency, MathCeil(concurrentTasksPerWorker));
}

const kAdded: readonly AddedOption[] = [
  'bootTimeout',
  'isolate',
  'queueTimeout',
  'recycle',
  'retry',
  'timeout',
  'watch',
];

/** The options of a Piscina as a `Pool` has them; throws for those that Piscina has not. */
export function ownOptions(options: FilledOptions, url: string | null): ResolvedOptions {
  const added = { __proto__: null } as never as Record<string, unknown>;
  for (let i = 0; i < kAdded.length; i++) added[kAdded[i]!] = options[kAdded[i]!];
  const own = resolveOptions(added);
  return {
    ...own,
    filename: url,
    name: options.name,
    minThreads: MathCeil(options.minThreads),
    maxThreads: threadsOf(options),
    concurrentTasksPerWorker: concurrencyOf(options),
    maxQueue: options.maxQueue,
    bootTimeout: options.bootTimeout === undefined ? Infinity : own.bootTimeout,
  };
}

export function startDispatcher(
  options: FilledOptions,
  parts: Parts,
  listener: DispatcherListener,
): Dispatcher {
  const { maxSpinUs, turnBudgetUs, prefetchWindowUs, recycle } = parts.own;
  requireWorkerFile();
  const portable = whyPoolIsPortable(options.execArgv, options.env);
  if (portable !== '') warnPortable(portable);
  const concurrency = concurrencyOf(options);
  return new Dispatcher(
    {
      minThreads: MathCeil(options.minThreads),
      maxThreads: threadsOf(options),
      concurrency,
      idleTimeoutMs: options.idleTimeout > kMaxTimerMs ? Infinity : options.idleTimeout,
      maxQueue: options.maxQueue,
      // A balancer, or an order of the user's own, is to see each task only when it can start.
      cpus: cpuCount(),
      prefetchWindowMs:
        parts.balancer === null && keepsArrivalOrder(options) ? prefetchWindowUs / 1000 : 0,
      bootTimeoutMs: parts.own.bootTimeout,
      abortGraceMs: 0,
      recycle,
      eager: true,
      queue: parts.queue,
      balancer: parts.balancer,
      errors: errorsOf(parts),
      spec: {
        workerOptions: workerOptions(options),
        runtime: 'thread',
        concurrency:
          parts.balancer === null ? concurrency : MathMax(concurrency, kBalancedConcurrency),
        maxSpinUs,
        turnBudgetUs,
        spinUnderPressure: spinUnderPressure(),
        portable: portable !== '',
        wireByPort: wireByPort(),
        preload: parts.handlers.preload,
        bare: true,
        niceIncrement: options.niceIncrement,
        loading: loadingNow(),
        recordsLatencies: true,
        quota: recycle.tasks,
        watchesHeap: recycle.heapMb < Infinity,
        onTiming: parts.onTiming,
      },
    },
    listener,
  );
}

function keepsArrivalOrder({ taskQueue }: FilledOptions): boolean {
  const prototype: unknown = ObjectGetPrototypeOf(taskQueue);
  return (
    prototype === OwnOrder.prototype ||
    prototype === FixedQueue.prototype ||
    prototype === ArrayTaskQueue.prototype
  );
}

function errorsOf({ wasTold }: Parts): PoolErrors {
  return {
    kind: 'worker thread',
    closed: Errors.terminated,
    queueFull: (_places, maxQueue) => (maxQueue === 0 ? Errors.noQueue() : Errors.queueAtLimit()),
    destroyed: Errors.threadTermination,
    aborted: Errors.aborted,
    waitedTooLong: poolErrors.waitedTooLong,
    ranTooLong: poolErrors.ranTooLong,
    lost: ({ error, exitCode, threadId }: WorkerEnd) => {
      if (error !== undefined) return error;
      return wasTold(threadId) ? Errors.threadTermination() : Errors.workerExited(exitCode);
    },
    noThread: (cause, end) =>
      end !== null && end.error === undefined ? Errors.workerExited(end.exitCode) : cause,
    refused: (code, message, handler) =>
      code === 'ERR_CENOTE_HANDLER_NOT_FOUND' && handler !== null
        ? Errors.noHandler(toPath(handler.url))
        : new CenoteError(code, message),
  };
}
