// `pool.stream()`: the parts that a handler gives, one after the other, as an async iterable.
//
// Guarantees: no more than `highWaterMark` parts are between the handler and the reader; parts come
// in order, and what the handler throws comes behind them; once the reader stops (an early `break`,
// an abort), a task that has not begun is taken back, and one that runs is asked to end, so that
// the `finally` of a generator runs.
//
// A task that was asked to end by its signal and does not is aborted after the pool's `abortGrace`,
// at least kGraceMs.

import { Fifo } from './base/fifo.js';
import { bareList, clearTimeout, MathMax, SafePromise, setTimeout } from './base/intrinsics.js';
import type { Request } from './calls.js';
import { AbortError } from './errors.js';
import type { Front } from './front.js';
import { onAbort } from './owner/abort-watch.js';
import { appendCallers } from './owner/caller-stack.js';
import type { Call } from './owner/waiting-line.js';
import type { RunOptions } from './run-options.js';

/** The options of `pool.stream()`. */
export interface StreamOptions extends Omit<
  RunOptions,
  'coalesce' | 'retry' | 'idempotent' | 'offload'
> {
  /** How many parts may be between the handler and the reader. @default 16 */
  readonly highWaterMark?: number;
}

/** What a generator gets to end by itself after an abort, at least, in ms. */
const kGraceMs = 1_000;

/** How a stream ended. `where` the handler threw; empty: none did. */
type End = { readonly error: unknown; readonly where: string } | 'done';

class Stream {
  readonly #front: Front;
  readonly #call: Call;
  readonly #window: number;
  readonly #graceMs: number;
  readonly #parts = new Fifo<unknown>();
  /** Parts that were read and not yet granted again. */
  #read = 0;
  #end: End | null = null;
  #wake: (() => void) | null = null;
  #whenOver: (() => void)[] = bareList();

  constructor(front: Front, request: Request, payload: unknown, graceMs: number) {
    this.#front = front;
    this.#window = request.window;
    this.#graceMs = graceMs;
    this.#call = front.begin(
      request,
      payload,
      () => this.#settle('done'),
      (error, where) => this.#settle({ error, where }),
      (call) => {
        call.port!.onPart = (part) => {
          this.#parts.push(part);
          this.#tell();
        };
      },
    );
  }

  #settle(end: End): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#tell();
    for (let i = 0; i < this.#whenOver.length; i++) this.#whenOver[i]!();
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** The next part, or how the stream ended. */
  async next(): Promise<{ readonly part: unknown } | End> {
    for (;;) {
      if (!this.#parts.isEmpty) return { part: this.#take() };
      if (this.#end !== null) return this.#end;
      await new SafePromise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #take(): unknown {
    const part = this.#parts.shift();
    if (++this.#read * 2 >= this.#window && this.#end === null) {
      this.#call.port!.want(this.#read);
      this.#read = 0;
    }
    return part;
  }

  /** The signal was aborted: the reader hears of it at once. */
  abort(reason: unknown): void {
    if (this.#end !== null) return;
    this.#parts.clear();
    const error = new AbortError(reason);
    if (!this.#front.withdraw(this.#call, () => error)) this.#askToEnd(reason);
    this.#end = { error, where: '' };
    this.#tell();
  }

  #askToEnd(reason: unknown): void {
    this.#call.port!.want(-1);
    if (this.#graceMs === Infinity) return;
    const timer = setTimeout(
      () => this.#front.abort(this.#call, reason),
      MathMax(kGraceMs, this.#graceMs),
    ).unref();
    this.#call.task.follow(() => clearTimeout(timer));
  }

  /** The reader stops. Resolves when the handler has ended. */
  async leave(): Promise<void> {
    if (this.#end !== null) return;
    if (this.#front.withdraw(this.#call, () => new AbortError(undefined))) return;
    this.#call.port!.want(-1);
    await new SafePromise<void>((resolve) => (this.#whenOver[this.#whenOver.length] = resolve));
  }
}

/** The parts of a stream. */
export async function* readStream(
  front: Front,
  request: Request,
  payload: unknown,
): AsyncGenerator<unknown, void, undefined> {
  const { signal } = request;
  if (signal?.aborted === true) throw new AbortError(signal.reason);
  const { abortGrace } = front.defaults;
  const stream = new Stream(front, { ...request, signal: undefined }, payload, abortGrace);
  const forget = signal && onAbort(signal, () => stream.abort(signal.reason));
  try {
    for (;;) {
      const next = await stream.next();
      if (next === 'done') return;
      if ('error' in next) {
        // Behind an `await`, whatever was there before: whoever reads awaits it, and is found.
        appendCallers(next.error, next.where, readStream);
        throw next.error;
      }
      yield next.part;
    }
  } finally {
    forget?.();
    await stream.leave();
  }
}
