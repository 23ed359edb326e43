// The owner's end of a task's port: receives the parts of its stream and its reports, and sends its
// input.
//
// Guarantees: what the task has sent is here before its caller hears of its end; the source of the
// input is asked for no more than the task has room for, and asked to end with the task; what the
// callback for reports throws is an uncaught exception, and disturbs nobody else.

import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { queueMicrotask } from '../base/intrinsics.js';
import { toWire } from '../wire/errors/decoder.js';
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

/** What items are read from. */
export type Source = Iterable<unknown> | AsyncIterable<unknown>;

export class TaskPort {
  readonly #port: MessagePort;
  /** What goes with the task. */
  readonly other: MessagePort;
  /** Gets the parts of the stream. */
  onPart: ((value: unknown) => void) | null = null;
  readonly #onProgress: ((value: unknown) => void) | undefined;
  #source: AsyncIterator<unknown> | Iterator<unknown> | null = null;
  /** Items that the task has room for. */
  #credits = kInputWindow;
  #isReading = false;
  #isOver = false;

  constructor(input: Source | undefined, onProgress: ((value: unknown) => void) | undefined) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.other = port2;
    this.#onProgress = onProgress;
    port1.on('message', (message: TaskMessage) => this.#onMessage(message));
    // What holds the loop is the task.
    port1.unref();
    if (input === undefined) return;
    const async = (input as AsyncIterable<unknown>)[Symbol.asyncIterator];
    this.#source =
      async === undefined
        ? (input as Iterable<unknown>)[Symbol.iterator]()
        : async.call(input as AsyncIterable<unknown>);
    void this.#feed();
  }

  /** The reader has room for so many more parts. Negative: it has left. */
  want(parts: number): void {
    this.#port.postMessage([kWantsParts, parts]);
  }

  /** The task has settled: what it has sent is taken, and the source is asked to end. */
  end(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: TaskMessage } | undefined;
      if (received === undefined) break;
      this.#onMessage(received.message);
    }
    this.#port.close();
    // Of a task that never went anywhere.
    this.other.close();
    this.#endInput();
  }

  #onMessage([tag, value]: TaskMessage): void {
    if (tag === kPart) this.onPart?.(value);
    else if (tag === kReport) this.#report(value);
    else if (tag === kWantsInput && (value as number) >= 0) {
      this.#credits += value as number;
      void this.#feed();
    } else if (tag === kWantsInput) this.#endInput();
  }

  #report(value: unknown): void {
    const onProgress = this.#onProgress;
    // In a turn of its own: it may be the user's code that settles the task just now.
    if (onProgress !== undefined) queueMicrotask(() => onProgress(value));
  }

  #endInput(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const source = this.#source;
    if (source === null) return;
    const leave = async (): Promise<void> => {
      try {
        await source.return?.();
      } catch {
        // The task has ended, and nobody reads on.
      }
    };
    void leave();
  }

  async #feed(): Promise<void> {
    if (this.#isReading || this.#isOver) return;
    this.#isReading = true;
    try {
      while (this.#credits > 0 && !this.#isOver) {
        const { done, value } = await this.#source!.next();
        const item: unknown = await value;
        if (this.#isOver) return;
        if (done === true) {
          this.#finish(kInputEnd, undefined);
          return;
        }
        const { value: payload, transferList } = takeTransfer(item);
        this.#port.postMessage([kInput, payload], transferList === null ? [] : [...transferList]);
        this.#credits--;
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isReading = false;
    }
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    try {
      this.#finish(kInputError, toWire(error));
    } catch {
      this.#finish(kInputError, toWire(new Error('The input failed, with what cannot be cloned')));
    }
  }

  #finish(tag: number, value: unknown): void {
    this.#port.postMessage([tag, value]);
    // It has ended by itself.
    this.#isOver = true;
  }
}
