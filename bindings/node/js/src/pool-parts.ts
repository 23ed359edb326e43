// What a pool is made of, and what becomes of it when the pool is dropped without `close()`.
//
// Nothing here refers to the pool, so it can be collected, and its threads are closed then.

import { poolErrors, processErrors } from './errors.js';
import type { ResolvedOptions } from './options.js';
import { Dispatcher } from './owner/dispatcher.js';
import type { DispatcherListener } from './owner/dispatcher-options.js';
import type { Handler, HandlerTable } from './owner/handlers.js';
import { Schedule } from './owner/schedule.js';
import { cpuCount } from './wait/cpus.js';
import { Watcher } from './watching.js';
import { specOf } from './worker-options.js';

/** The dispatcher of a pool; `preload` is the pool's own handler, if it has one. */
export function makeDispatcher(
  resolved: ResolvedOptions,
  preload: Handler | null,
  listener: DispatcherListener,
): Dispatcher {
  return new Dispatcher(
    {
      minThreads: resolved.minThreads,
      maxThreads: resolved.maxThreads,
      concurrency: resolved.concurrentTasksPerWorker,
      idleTimeoutMs: resolved.idleTimeout,
      bootTimeoutMs: resolved.bootTimeout,
      abortGraceMs: resolved.abortGrace,
      recycle: resolved.recycle,
      maxQueue: resolved.maxQueue,
      // A process is handed its next task by this thread: to hold one ready for it saves nothing.
      prefetchWindowMs: resolved.runtime === 'thread' ? resolved.prefetchWindowUs / 1000 : 0,
      cpus: cpuCount(),
      eager: false,
      queue: new Schedule(),
      balancer: null,
      errors: resolved.runtime === 'thread' ? poolErrors : processErrors,
      spec: specOf(resolved, preload),
    },
    listener,
  );
}

/** Replaces the workers whenever one of their files changes. */
export function watchFiles(handlers: HandlerTable, { renewal }: Dispatcher): Watcher {
  const restart = async (): Promise<void> => {
    try {
      await renewal.restart();
    } catch {
      // The tasks say what is wrong with the file.
    }
  };
  const watcher = new Watcher(() => void restart());
  handlers.onFile = (url) => watcher.add(url);
  if (handlers.preload !== null) watcher.add(handlers.preload.url);
  return watcher;
}

interface Remains {
  readonly dispatcher: Dispatcher;
  readonly watcher: Watcher | null;
}

const collected = new FinalizationRegistry<Remains>(({ dispatcher, watcher }) => {
  watcher?.close();
  void dispatcher.close();
});

/** Has a pool's parts end when it is collected. */
export function endWithPool(pool: object, dispatcher: Dispatcher, watcher: Watcher | null): void {
  collected.register(pool, { dispatcher, watcher }, pool);
}
