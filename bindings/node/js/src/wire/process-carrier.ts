// How the values of slots cross to a worker process and back: written when they are sent, read when
// they are received, each by its slot.
//
// Nothing is shared with a process, so everything is copied. What has a transfer list is detached
// on the sender's side all the same: whoever gave a buffer away does not have it, as in a pool of
// threads. Only an `ArrayBuffer` can be given away so.

import { MessageChannel, receiveMessageOnPort, type Transferable } from 'node:worker_threads';
import { types } from 'node:util';
import { bareList, now, PlainDOMException } from '../base/intrinsics.js';
import type { Prospects, ValueCarrier } from './carrier.js';
import { kCloned, kTransferred } from './channel.js';
import { decodeValue, encodeValue } from './frames.js';
import { Traffic } from './traffic.js';
import { UnreadableValue } from './value-port.js';

const { isArrayBuffer } = types;

export class ProcessCarrier implements ValueCarrier {
  readonly sent = new Traffic();
  readonly received = new Traffic();
  /** By slot: what was written and not yet handed to the pipe, and what came and was not read. */
  readonly #outgoing: (Buffer | undefined)[] = bareList();
  readonly #incoming: (Buffer | undefined)[] = bareList();

  /**
   * Writes a value, for {@link takeOut}. Gives its bytes. Throws a `DataCloneError`, or what a
   * getter of the value throws.
   */
  send(
    slot: number,
    value: unknown,
    transferList: readonly Transferable[] | null,
    _prospects: Prospects,
  ): number {
    const from = now();
    if (transferList !== null) refuseHandles(transferList);
    const written = encodeValue(value);
    if (transferList !== null) detach(transferList);
    this.#outgoing[slot] = written;
    this.#count(this.sent, transferList === null ? kCloned : kTransferred, written.length, from);
    return written.length;
  }

  /** What was written for a slot: room for a frame's head, and the value. */
  takeOut(slot: number): Buffer {
    const written = this.#outgoing[slot]!;
    this.#outgoing[slot] = undefined;
    return written;
  }

  /** A value has come for a slot. */
  bringIn(slot: number, body: Buffer): void {
    this.#incoming[slot] = body;
  }

  /** A value comes with its entry. */
  isHere(_slot: number): boolean {
    return true;
  }

  receive(slot: number): unknown {
    const body = this.#incoming[slot];
    this.#incoming[slot] = undefined;
    if (body === undefined) return new UnreadableValue(new Error('The value did not arrive'));
    const from = now();
    try {
      const value = decodeValue(body);
      this.#count(this.received, kCloned, body.length, from);
      return value;
    } catch (error) {
      return new UnreadableValue(error);
    }
  }

  discard(slot: number): void {
    this.#incoming[slot] = undefined;
  }

  free(slot: number): void {
    this.#outgoing[slot] = undefined;
  }

  #count(traffic: Traffic, path: number, bytes: number, from: number): void {
    traffic.paths[path]!++;
    traffic.bytes += bytes;
    traffic.cloneMs += now() - from;
  }
}

function refuseHandles(list: readonly Transferable[]): void {
  for (let i = 0; i < list.length; i++) {
    if (isArrayBuffer(list[i])) continue;
    throw new PlainDOMException(
      'Of a transferList, only an ArrayBuffer can cross to another process',
      'DataCloneError',
    );
  }
}

let away: MessageChannel | null = null;

/** Takes buffers away from their owner. Throws, as a transfer does, if one cannot be. */
function detach(list: readonly Transferable[]): void {
  if (list.length === 0) return;
  if (away === null) {
    away = new MessageChannel();
    away.port1.unref();
    away.port2.unref();
  }
  away.port1.postMessage(null, list);
  receiveMessageOnPort(away.port2);
}
