// What a worker of a pool runs first, a thread or a process (process.ts).
//
// The first message on the worker's own channel says all it needs; it was posted before the thread
// ran. From then on the channel, and `workerData`, belong to the user's code alone.

import { MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Init } from '../wire/messages.js';
import type * as entry from './process.js';
import { WorkerLoop } from './worker-loop.js';
import { markWorkerThread } from './worker-state.js';

function begin(init: Init): void {
  markWorkerThread(workerData, init.loading);
  // A rejection here is an uncaught exception: the owner sees a worker that failed to start.
  void start(init);
}

async function start(init: Init): Promise<void> {
  if (init.niceIncrement !== 0) await lowerPriority(init.niceIncrement);
  await new WorkerLoop(init).start();
}

/** Where the optional package is not installed, or the system refuses, the priority stays. */
async function lowerPriority(increment: number): Promise<void> {
  try {
    const name: string = '@napi-rs/nice';
    const { nice } = (await import(name)) as { nice: (increment: number) => number };
    nice(increment);
  } catch {
    // As niceIncrement is documented: without effect, and not fatal.
  }
}

function main(): void {
  const port = parentPort;
  if (port === null) {
    if (process.send === undefined)
      throw new Error('This file is the entry of a cenote worker and cannot run on its own');
    // Loaded where it is needed: a thread has no use for it.
    const be: typeof entry.beWorkerProcess = require('./process.js').beWorkerProcess;
    be();
    return;
  }
  // Deno's parentPort is of a class of its own, which only speaks in events.
  const first =
    port instanceof MessagePort
      ? (receiveMessageOnPort(port) as { message: Init } | undefined)
      : undefined;
  if (first !== undefined) begin(first.message);
  else port.once('message', begin);
}

main();
