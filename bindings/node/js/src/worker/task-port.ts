// The worker's end of a task's port: sends the parts of its stream and its reports, and receives
// its input.
//
// Guarantees: no more parts are sent than the reader has room for; when the reader leaves, the
// handler's signal is aborted and its stream is asked to end (`return()`), so that the `finally` of
// a generator runs; what the stream throws is what the task rejects with, behind all of its parts.

import type { MessagePort } from 'node:worker_threads';
import { Fifo } from '../base/fifo.js';
import { SafePromise } from '../base/intrinsics.js';
import { CenoteError, describe } from '../errors.js';
import { fromWire } from '../wire/errors/decoder.js';
import type { WireFailure } from '../wire/messages.js';
import { takeTransfer } from '../wire/move.js';
import {
  kInput,
  kInputEnd,
  kInputError,
  kInputWindow,
  kPart,
  kReport,
  kWantsInput,
  kWantsParts,
  type TaskMessage,
} from '../wire/task-messages.js';

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>;

export class TaskPort {
  readonly #port: MessagePort;
  /** Called when nobody wants the task's stream any more. */
  readonly #onLeft: () => void;
  /** Parts that the reader has room for. */
  #credits: number;
  #hasLeft = false;
  readonly input: AsyncIterable<unknown> | undefined;
  readonly #items = new Fifo<unknown>();
  #taken = 0;
  #inputEnd: { readonly error: unknown } | 'done' | null = null;
  #wakeSender: (() => void) | null = null;
  #wakeReader: (() => void) | null = null;

  constructor(port: MessagePort, window: number, hasInput: boolean, onLeft: () => void) {
    this.#port = port;
    this.#credits = window;
    this.#onLeft = onLeft;
    this.input = hasInput ? { [Symbol.asyncIterator]: () => this.#readInput() } : undefined;
    port.on('message', (message: TaskMessage) => this.#onMessage(message));
    // What holds the loop is the task.
    port.unref();
  }

  report(value: unknown): void {
    this.#send(kReport, value);
  }

  close(): void {
    this.#port.close();
  }

  #send(tag: number, value: unknown): void {
    const { value: payload, transferList } = takeTransfer(value);
    this.#port.postMessage([tag, payload], transferList === null ? [] : [...transferList]);
  }

  #onMessage([tag, value]: TaskMessage): void {
    if (tag === kWantsParts) {
      if ((value as number) < 0) this.#leave();
      else this.#credits += value as number;
      this.#wake('sender');
      return;
    }
    if (tag === kInput) this.#items.push(value);
    else if (tag === kInputEnd) this.#inputEnd = 'done';
    else if (tag === kInputError) {
      const failure = value as WireFailure;
      this.#inputEnd = { error: fromWire(failure[0], failure[1]) };
    }
    this.#wake('reader');
  }

  #wake(who: 'sender' | 'reader'): void {
    const wake = who === 'sender' ? this.#wakeSender : this.#wakeReader;
    if (who === 'sender') this.#wakeSender = null;
    else this.#wakeReader = null;
    wake?.();
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#onLeft();
  }

  /** Sends what an iterable gives. Resolves at its end, or when the reader has left. */
  async sendAll(produced: unknown, handler: string): Promise<void> {
    const iterator = iteratorOf(produced, handler);
    let isDone = false;
    try {
      while (!this.#hasLeft) {
        if (this.#credits <= 0) {
          await new SafePromise<void>((resolve) => (this.#wakeSender = resolve));
          continue;
        }
        const next = await iterator.next();
        if (next.done === true) {
          isDone = true;
          return;
        }
        // An iterable of promises is one of what they resolve with.
        this.#send(kPart, await next.value);
        this.#credits--;
      }
    } catch (error) {
      // Whoever has left does not hear of it.
      if (!this.#hasLeft) throw error;
    } finally {
      if (!isDone) await iterator.return?.();
    }
  }

  async *#readInput(): AsyncGenerator<unknown, void, undefined> {
    try {
      for (;;) {
        if (!this.#items.isEmpty) {
          const item = this.#items.shift();
          if (++this.#taken >= kInputWindow / 2) {
            this.#port.postMessage([kWantsInput, this.#taken]);
            this.#taken = 0;
          }
          yield item;
        } else if (this.#inputEnd === 'done') {
          return;
        } else if (this.#inputEnd !== null) {
          throw this.#inputEnd.error;
        } else {
          await new SafePromise<void>((resolve) => (this.#wakeReader = resolve));
        }
      }
    } finally {
      if (this.#inputEnd === null) this.#port.postMessage([kWantsInput, -1]);
    }
  }
}

function iteratorOf(produced: unknown, handler: string): AnyIterator {
  if (produced !== null && (typeof produced === 'object' || typeof produced === 'function')) {
    const async = (produced as AsyncIterable<unknown>)[Symbol.asyncIterator];
    if (typeof async === 'function') return async.call(produced as AsyncIterable<unknown>);
    const sync = (produced as Iterable<unknown>)[Symbol.iterator];
    if (typeof sync === 'function') return sync.call(produced as Iterable<unknown>);
  }
  throw new CenoteError(
    'ERR_CENOTE_NOT_A_STREAM',
    `The handler ${handler} was called by pool.stream() and returned ${describe(produced)}, which ` +
      'is no generator, stream or other iterable. Call it with pool.run().',
  );
}
