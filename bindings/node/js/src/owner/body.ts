// What a worker runs in, as its handle sees it: a thread, or a process.

import type { ChildProcess } from 'node:child_process';
import type { Worker } from 'node:worker_threads';
import { append } from '../base/intrinsics.js';
import type { LoopAddress, StageCounts } from '../wait/loop.js';
import type { ValueCarrier } from '../wire/carrier.js';
import type { Channel } from '../wire/channel.js';
import type { ToWorker } from '../wire/messages.js';
import type { Traffic } from '../wire/traffic.js';
import type { Handler } from './handlers.js';
import { Thread, type ThreadEvents, type ThreadSpec } from './thread.js';
import type * as processes from './worker-process.js';

export interface Body {
  /** The thread or the process itself; null where it is the other. */
  readonly worker: Worker | null;
  readonly process: ChildProcess | null;
  /** Outlives it: a thread's number, or a process's. */
  readonly id: number;
  readonly channel: Channel;
  readonly carrier: ValueCarrier;
  /** What it says beside results. */
  readonly control: { poll(): void; drain(): void };
  /** Where it is woken, once it has said so. */
  address: LoopAddress | null;
  readonly traffic: { readonly tasks: Traffic; readonly results: Traffic };
  /** Registered background work that ended well, and that is alive. */
  readonly background: { readonly completed: number; readonly active: number };
  /** Its CPU time in ms, or -1 where it is not known. */
  readonly cpuMs: number;
  readonly stages: StageCounts | null;
  /** Makes sure that the worker knows a handler. */
  define(handler: Handler): void;
  /** Makes the worker look at what was published for it. */
  wake(): void;
  /** Receives control messages. */
  catchUp(): void;
  tell(message: ToWorker): void;
  terminate(): void;
  closePorts(): void;
}

/** Starts a worker. Throws what `new Worker` throws, or a `DataCloneError` for its `workerData`. */
export function startBody(spec: ThreadSpec, events: ThreadEvents): Body {
  if (spec.runtime === 'thread') return new Thread(spec, events);
  // Loaded where it is needed: most pools have no use for it.
  const WorkerProcess: typeof processes.WorkerProcess =
    require('./worker-process.js').WorkerProcess;
  return new WorkerProcess(spec, events);
}

/** The threads, or the processes, of a crew. */
export function bodiesOf<K extends 'worker' | 'process'>(
  { all }: { readonly all: readonly { readonly body: Body }[] },
  kind: K,
): NonNullable<Body[K]>[] {
  const bodies: NonNullable<Body[K]>[] = [];
  for (let i = 0; i < all.length; i++) {
    const body = all[i]!.body[kind];
    if (body !== null) append(bodies, body as NonNullable<Body[K]>);
  }
  return bodies;
}
