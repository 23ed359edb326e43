// The port for control messages of one side of a channel.
//
// A message that cannot be read is reported where it would have been, so that whoever reads the
// port knows by the order which it was.

import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { AtomicsAdd, AtomicsExchange, AtomicsLoad, AtomicsStore } from '../base/intrinsics.js';
import type { Channel } from './channel.js';
import type { Kick } from './messages.js';
import { UnreadableValue } from './value-port.js';

/** The words of the channel that a control port goes by: what is sent, and what is received. */
interface ControlWords {
  readonly sent: number;
  readonly received: number;
  /** 1 while a kick from the other side is under way, and one to it. */
  readonly kicked: number;
  readonly kicks: number;
}

export class ControlPort<Sent, Received> {
  readonly #port: MessagePort;
  readonly #cells: Int32Array;
  readonly #words: ControlWords;
  readonly #onMessage: (message: Received | UnreadableValue) => void;
  #seen = 0;

  /** `listens`: messages come as events as well. A kick is passed on like any message. */
  constructor(
    port: MessagePort,
    channel: Channel,
    words: ControlWords,
    listens: boolean,
    onMessage: (message: Received | UnreadableValue) => void,
  ) {
    this.#port = port;
    this.#cells = channel.cells;
    this.#words = words;
    this.#onMessage = onMessage;
    if (!listens) return;
    port.on('message', (message: Received | Kick) => this.#take(message));
    port.on('messageerror', (error: unknown) => onMessage(new UnreadableValue(error)));
  }

  /** The other side is to be woken after it. */
  post(message: Sent): void {
    this.#port.postMessage(message);
    AtomicsAdd(this.#cells, this.#words.sent, 1);
  }

  /** Makes the other side look at shared memory, where it cannot be rung. One kick is enough. */
  kick(): void {
    if (AtomicsExchange(this.#cells, this.#words.kicks, 1) === 1) return;
    this.#port.postMessage({ type: 'kick' } satisfies Kick);
  }

  /** Takes the messages that the other side says it has posted. Cheap when there are none. */
  poll(): void {
    const sent = AtomicsLoad(this.#cells, this.#words.received);
    if (sent === this.#seen) return;
    this.#seen = sent;
    this.drain();
  }

  /** Takes all that is in the port. */
  drain(): void {
    for (;;) {
      let received: { message: Received | Kick } | undefined;
      try {
        received = receiveMessageOnPort(this.#port) as typeof received;
      } catch (error) {
        this.#onMessage(new UnreadableValue(error));
        continue;
      }
      if (received === undefined) return;
      this.#take(received.message);
    }
  }

  #take(message: Received | Kick): void {
    // From now on another kick is under way for what comes after this look.
    if ((message as Kick).type === 'kick') AtomicsStore(this.#cells, this.#words.kicked, 0);
    this.#onMessage(message as Received);
  }
}
