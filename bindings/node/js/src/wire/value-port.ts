// The values that do not fit into shared memory: one message each, in the order of their slots.
//
// Every message belongs to one entry of a ring, and the two come in the same order, so a message
// that cannot be read is known to be that entry's value, and nobody else's. Whoever reads an entry
// whose value nobody wants discards the message.
//
// Where threads cannot ring each other messages come as events, which may be later than the entry
// in shared memory; `hasArrived` says whether the value is here.

import { bareList } from '../base/intrinsics.js';
import { receiveMessageOnPort, type MessagePort, type Transferable } from 'node:worker_threads';

/** The value of an entry cannot be read on this thread. `cause` says why. */
export class UnreadableValue {
  constructor(readonly cause: unknown) {}
}

/** Places of values that were taken are dropped when they are so many. */
const kTakenMax = 1024;

export class ValuePort {
  readonly #port: MessagePort;
  readonly #listens: boolean;
  /** What came by events and was not taken, or why it cannot be read. */
  #arrived: unknown[] = bareList();
  #taken = 0;
  /** Messages that are still to come, and that nobody wants. */
  #unwanted = 0;

  /** With `onArrival` the port is listened to, and that is called for each message. */
  constructor(port: MessagePort, onArrival: (() => void) | null) {
    this.#port = port;
    this.#listens = onArrival !== null;
    if (onArrival === null) return;
    const arrived = (message: unknown): void => {
      if (this.#unwanted > 0) this.#unwanted--;
      else this.#arrived[this.#arrived.length] = message;
      onArrival();
    };
    port.on('message', arrived);
    port.on('messageerror', (error: unknown) => arrived(new UnreadableValue(error)));
  }

  /** Throws what the clone throws, or a getter of the value; nothing was sent then. */
  post(value: unknown, transferList: readonly Transferable[] | null): void {
    if (transferList === null) this.#port.postMessage(value);
    else this.#port.postMessage(value, transferList);
  }

  /** Whether {@link take} gives the next value. */
  get hasArrived(): boolean {
    if (!this.#listens || this.#taken < this.#arrived.length) return true;
    const received = this.#receive();
    if (received === undefined) return false;
    this.#arrived[this.#arrived.length] = received.message;
    return true;
  }

  /** The next value, or an {@link UnreadableValue}. */
  take(): unknown {
    if (this.#taken < this.#arrived.length) {
      const value = this.#arrived[this.#taken];
      this.#arrived[this.#taken++] = undefined;
      if (this.#taken === this.#arrived.length || this.#taken === kTakenMax) this.#forgetTaken();
      return value;
    }
    const received = this.#receive();
    // An entry is published behind its message: only a port that is closed has none.
    return received === undefined
      ? new UnreadableValue(new Error('The value did not arrive: the port is closed'))
      : received.message;
  }

  #forgetTaken(): void {
    const rest: unknown[] = bareList();
    for (let i = this.#taken; i < this.#arrived.length; i++) {
      rest[i - this.#taken] = this.#arrived[i];
    }
    this.#arrived = rest;
    this.#taken = 0;
  }

  /** Drops the next value, also one that has not arrived. */
  discard(): void {
    if (this.hasArrived) this.take();
    else this.#unwanted++;
  }

  #receive(): { message: unknown } | undefined {
    // What is still to be dropped comes first.
    for (;;) {
      let received: { message: unknown } | undefined;
      try {
        received = receiveMessageOnPort(this.#port) as typeof received;
      } catch (error) {
        received = { message: new UnreadableValue(error) };
      }
      if (received === undefined || this.#unwanted === 0) return received;
      this.#unwanted--;
    }
  }
}
