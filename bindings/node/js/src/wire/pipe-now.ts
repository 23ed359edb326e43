// Reads what a pipe has right now, without a turn of the event loop.
//
// A thread looks into shared memory whenever it likes. Of a pipe it hears in a turn of its loop,
// and is behind while it computes, or was kept from its loop. Where the system lets it, it reads
// the pipe itself: pipes of Node's are opened so that a read never waits. The stream that the pipe
// has as well goes on with what comes next.

import { readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { allocateBytes, TypedArraySet } from '../base/value-intrinsics.js';
import { subarray, type FrameReader } from './frames.js';

const read = readSync;
const kChunkBytes = 65_536;
/** There a read of a pipe waits until something comes. */
const canRead = process.platform !== 'win32';

let scratch: Buffer | null = null;

/**
 * Takes what has come. `fd` is the pipe's number; below 0 it is not known. Says whether there was
 * all to be taken, and the other side has closed the pipe, or whether that is not known.
 */
export function takeNow(
  fd: number,
  stream: Readable,
  reader: FrameReader,
): 'all' | 'closed' | 'unknown' {
  if (!canRead || fd < 0 || reader.isBusy || stream.destroyed) return 'unknown';
  // What the stream holds comes first.
  if (stream.readableLength > 0) return 'unknown';
  scratch ??= allocateBytes(kChunkBytes);
  for (;;) {
    let bytes: number;
    try {
      bytes = read(fd, scratch, 0, kChunkBytes, null);
    } catch {
      // There is nothing more.
      return 'all';
    }
    if (bytes === 0) return 'closed';
    const chunk = allocateBytes(bytes);
    TypedArraySet(chunk, subarray(scratch, 0, bytes));
    reader.take(chunk);
  }
}
