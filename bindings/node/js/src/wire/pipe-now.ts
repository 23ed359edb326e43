// Reads what a pipe has right now, without a turn of the event loop.
//
// A thread looks into shared memory whenever it likes. Of a pipe it hears in a turn of its loop,
// and is behind while it computes, or was kept from its loop. Where the system lets it, it reads
// the pipe itself: pipes of Node's are opened so that a read never waits. The stream that the pipe
// has as well goes on with what comes next.

import { readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { allocateBytes } from '../base/value-intrinsics.js';
import { subarray, type FrameReader } from './frames.js';

const read = readSync;
const kChunkBytes = 65_536;
/** There a read of a pipe waits until something comes. */
const canRead = process.platform !== 'win32';

/** Takes what has come. `fd` is the pipe's number; below 0 it is not known, and nothing is done. */
export function takeNow(fd: number, stream: Readable, reader: FrameReader): void {
  if (!canRead || fd < 0 || reader.isBusy || stream.destroyed) return;
  // What the stream holds comes first.
  if (stream.readableLength > 0) return;
  for (;;) {
    const chunk = allocateBytes(kChunkBytes);
    let bytes: number;
    try {
      bytes = read(fd, chunk, 0, kChunkBytes, null);
    } catch {
      // There is nothing.
      return;
    }
    // Its end is for the stream to tell.
    if (bytes === 0) return;
    reader.take(bytes < kChunkBytes ? subarray(chunk, 0, bytes) : chunk);
    if (bytes < kChunkBytes) return;
  }
}
