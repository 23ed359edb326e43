// How the value of a slot crosses: in the slot's area if it is small and plain, else by the port.
//
// Each side has one carrier for both directions, since a slot holds a task first and its result
// later. A value is read once when it is sent, and what arrives shares no object with anything
// else: areas are copied from, and a message holds one value alone.

import type { Transferable } from 'node:worker_threads';
import type { Channel } from './channel.js';
import { Reader } from './codec.js';
import { kWritten, Writer } from './codec-writer.js';
import type { ValuePort } from './value-port.js';

export class Carrier {
  readonly #channel: Channel;
  readonly #port: ValuePort;
  readonly #writer: Writer;
  readonly #reader: Reader;

  constructor(channel: Channel, port: ValuePort) {
    this.#channel = channel;
    this.#port = port;
    this.#writer = new Writer(channel.cells);
    this.#reader = new Reader(channel.cells);
  }

  /**
   * Puts a value into a slot, which is to be published behind it. `true`: it went by the port.
   * Throws what the clone throws, or a getter of the value; nothing was sent then.
   */
  send(slot: number, value: unknown, transferList: readonly Transferable[] | null): boolean {
    const area = this.#channel.areaAt(slot);
    let rest = value;
    if (transferList === null && area >= 0) {
      rest = this.#writer.write(value, area, this.#channel.areaEnd(slot));
      if (rest === kWritten) {
        this.#channel.setByPort(slot, false);
        return false;
      }
    }
    this.#port.post(rest, transferList);
    this.#channel.setByPort(slot, true);
    return true;
  }

  /** Whether the value of the next slot is here. */
  isHere(slot: number): boolean {
    return !this.#channel.isByPort(slot) || this.#port.hasArrived;
  }

  /**
   * The value of a slot, or an `UnreadableValue`. Slots are to be taken in their order in the ring.
   */
  receive(slot: number): unknown {
    return this.#channel.isByPort(slot)
      ? this.#port.take()
      : this.#reader.read(this.#channel.areaAt(slot));
  }

  /** Drops the value of a slot. */
  discard(slot: number): void {
    if (this.#channel.isByPort(slot)) this.#port.discard();
  }
}
