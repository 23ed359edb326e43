// What a drop-in pool has beside Piscina, with its types.

import type { ReadableStream } from 'node:stream/web';
import Piscina from 'cenote/piscina';

const pool = new Piscina<number, string>({
  filename: 'worker.cjs',
  timeout: 1_000,
  retry: { attempts: 2 },
  recycle: { tasks: 100, ageMs: 60_000 },
  isolate: false,
});

export const done: Promise<string> = pool.run(1, {
  priority: 1,
  context: { traceId: 'a' },
  whenFull: 'wait',
  signal: new AbortController().signal,
  onProgress: (value: unknown) => void value,
});
export const all: Promise<string[]> = pool.broadcast(1);
export const parts: AsyncGenerator<Buffer> = pool.stream<Buffer>(1, { highWaterMark: 4 });
export const mapped: AsyncGenerator<string> = pool.map([1, 2], { concurrency: 4 });
export const sync: string = pool.runSync(1, { timeout: 10 });
export const product: Promise<number> = pool.exec((a: number, b: number) => a * b, 6, 7);
export const inLane: Promise<string> = pool.lane('mail', { maxRunning: 1 }).run(1);
export const readable: ReadableStream<string> = pool.transform().readable;
export const queued: number = pool.stats().tasks.queued;
export const pays: boolean[] = pool.advise().map((advice) => advice.pays);

for await (const outcome of pool.map([1], { stopOnError: false })) {
  if (outcome.status === 'fulfilled') outcome.value satisfies string;
}

// @ts-expect-error: it is a number
void pool.run(1, { priority: 'high' });
// @ts-expect-error: it is a number
void pool.map(['a']);
// @ts-expect-error: processes are for `Pool`
new Piscina({ runtime: 'process' });
