// What a worker process of a pool runs first: it opens its pipes, and waits for what it is
// to be.

import { Socket } from 'node:net';
import { syncBuiltinESMExports } from 'node:module';
import workerThreads from 'node:worker_threads';
import { setImmediate } from '../base/intrinsics.js';
import { decodeValue, FrameReader, kInitFrame, kResultsPipe, kTasksPipe } from '../wire/frames.js';
import type { ProcessInit } from '../wire/messages.js';
import { takeNow } from '../wire/pipe-now.js';
import { ProcessLoop } from './process-loop.js';
import { markWorkerThread } from './worker-state.js';

const exit = process.exit.bind(process);

/** Makes of this process a worker of the pool that has started it. */
export function beWorkerProcess(): void {
  const fromOwner = new Socket({ fd: kTasksPipe, writable: false });
  const toOwner = new Socket({ fd: kResultsPipe, readable: false });
  let loop: ProcessLoop | null = null;
  let isScheduled = false;
  const reader = new FrameReader((frame) => {
    if (frame.kind === kInitFrame)
      loop = begin(decodeValue(frame.body) as ProcessInit, { fromOwner, toOwner }, receive);
    else loop?.take(frame);
  });
  const receive = (): void => {
    if (takeNow(kTasksPipe, fromOwner, reader) === 'closed') exit(0);
    // What it brings begins in a turn of its own.
    if (isScheduled || loop?.hasTasks !== true) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      loop?.go();
    });
  };
  fromOwner.on('data', (chunk: Buffer) => {
    reader.take(chunk);
    loop?.go();
  });
  fromOwner.on('error', () => {});
  toOwner.on('error', () => {});
  // Its owner is gone.
  fromOwner.on('close', () => exit(0));
  // A terminal tells all processes of a program at once: what becomes of the workers is the owner's
  // to say, as with threads.
  process.on('SIGINT', () => {});
}

function begin(
  init: ProcessInit,
  pipes: { readonly fromOwner: Socket; readonly toOwner: Socket },
  receive: () => void,
): ProcessLoop {
  const { workerData, loading } = init;
  markWorkerThread(workerData, loading);
  // Handlers find it where a thread has it.
  (workerThreads as { workerData: unknown }).workerData = workerData;
  syncBuiltinESMExports();
  const loop = new ProcessLoop(init, pipes, receive);
  // A rejection here is an uncaught exception: the owner sees a worker that failed to start.
  void loop.start();
  return loop;
}
