// What a worker process of a pool runs first: it opens its pipe, and waits for what it is to be.

import { Socket } from 'node:net';
import { syncBuiltinESMExports } from 'node:module';
import workerThreads from 'node:worker_threads';
import { setImmediate } from '../base/intrinsics.js';
import { decodeValue, FrameReader, kInitFrame } from '../wire/frames.js';
import type { ProcessInit } from '../wire/messages.js';
import { takeNow } from '../wire/pipe-now.js';
import { ProcessLoop } from './process-loop.js';
import { markWorkerThread } from './worker-state.js';

/** The pipe's number, which the owner has given it. */
const kPipe = 4;

const exit = process.exit.bind(process);

/** Makes of this process a worker of the pool that has started it. */
export function beWorkerProcess(): void {
  const pipe = new Socket({ fd: kPipe });
  let loop: ProcessLoop | null = null;
  let isScheduled = false;
  const reader = new FrameReader((frame) => {
    if (frame.kind === kInitFrame)
      loop = begin(decodeValue(frame.body) as ProcessInit, pipe, receive);
    else loop?.take(frame);
  });
  const receive = (): void => {
    if (!takeNow(kPipe, pipe, reader)) exit(0);
    // What it brings begins in a turn of its own.
    if (isScheduled || loop?.hasTasks !== true) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      loop?.go();
    });
  };
  pipe.on('data', (chunk: Buffer) => {
    reader.take(chunk);
    loop?.go();
  });
  pipe.on('error', () => {});
  // Its owner is gone.
  pipe.on('close', () => exit(0));
  // A terminal tells all processes of a program at once: what becomes of the workers is the owner's
  // to say, as with threads.
  process.on('SIGINT', () => {});
}

function begin(init: ProcessInit, pipe: Socket, receive: () => void): ProcessLoop {
  const { workerData, loading } = init;
  markWorkerThread(workerData, loading);
  // Handlers find it where a thread has it.
  (workerThreads as { workerData: unknown }).workerData = workerData;
  syncBuiltinESMExports();
  const loop = new ProcessLoop(init, pipe, receive);
  // A rejection here is an uncaught exception: the owner sees a worker that failed to start.
  void loop.start();
  return loop;
}
