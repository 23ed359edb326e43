// `pool.map()` as a stage of a pipeline: a web transform stream, or a Node duplex stream.
//
// Guarantees: those of `map()`, so at most `concurrency` items are between the two ends; an error
// on one side is an error on the other; whoever cancels the results ends the tasks.

import { Duplex } from 'node:stream';
import { ReadableStream, TransformStream, type WritableStream } from 'node:stream/web';

type Map = (source: AsyncIterable<unknown>) => AsyncGenerator<unknown, void, undefined>;

/** Both ends of a stage of web streams: for `readable.pipeThrough(…)`. */
export interface MapTransform<Payload, Result> {
  readonly writable: WritableStream<Payload>;
  readonly readable: ReadableStream<Result>;
}

export function asTransform(map: Map): MapTransform<unknown, unknown> {
  // It holds nothing: what is written waits until an item is asked for.
  const entry = new TransformStream<unknown, unknown>();
  const results = map(entry.readable);
  const readable = new ReadableStream<unknown>(
    {
      async pull(controller) {
        const { done, value } = await results.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await results.return();
      },
    },
    { highWaterMark: 0 },
  );
  return { writable: entry.writable, readable };
}

export function asDuplex(map: Map): Duplex {
  return Duplex.from(map);
}
