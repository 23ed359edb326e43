// How the value of a slot crosses: as words in shared memory, or by the port.
//
// Each side has one carrier for both directions, since a slot holds a task first and its result
// later. A value is read once when it is sent, and what arrives shares no object with anything
// else: words are copied from, and a message holds one value alone.
//
// What has no form in words goes by the port, as a structured clone. So do the words themselves
// where the arena is full: nothing waits for room. Large buffers are copied once, and that copy is
// moved by the port.

import type { Transferable } from 'node:worker_threads';
import {
  ArrayIsArray,
  bareList,
  lengthOfArrayBuffer,
  now,
  TypedArrayBuffer,
} from '../base/intrinsics.js';
import { PlainInt32Array, TypedArraySet } from '../base/value-intrinsics.js';
import { Arena } from './arena.js';
import {
  kCloned,
  kClonedUntried,
  kInWords,
  kInWordsAndPort,
  kTransferred,
  kWordsByPort,
  type Channel,
  type Direction,
} from './channel.js';
import { wordsOf } from './codec.js';
import { Reader } from './codec-reader.js';
import { kWritten, Writer } from './codec-writer.js';
import { ShapeList, ShapeTree } from './shapes.js';
import { Traffic } from './traffic.js';
import { UnreadableValue, type ValuePort } from './value-port.js';

/** Fewer words are copied one by one. */
const kCopiedWords = 64;
/** After so many failures in a row as many values less one are not tried. */
const kSkipMax = 64;

/** Whether to try to write values of one kind: what had no form in words is likely to have none. */
export class Prospects {
  #skip = 0;
  #penalty = 0;

  get good(): boolean {
    if (this.#skip === 0) return true;
    this.#skip--;
    return false;
  }

  failed(): void {
    this.#penalty = this.#penalty === 0 ? 1 : 2 * this.#penalty;
    if (this.#penalty > kSkipMax) this.#penalty = kSkipMax;
    this.#skip = this.#penalty - 1;
  }

  succeeded(): void {
    this.#penalty = 0;
  }
}

const kNone: readonly unknown[] = bareList();

export class Carrier {
  readonly sent = new Traffic();
  readonly received = new Traffic();
  readonly #channel: Channel;
  readonly #port: ValuePort;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #arena: Arena;
  readonly #byPort: boolean;
  readonly #isRead: ((slot: number) => boolean) | null;

  /**
   * `outgoing`: what this side sends by. `isRead`: whether the other side has read what was sent in
   * a slot, where nobody says so by {@link free}.
   */
  constructor(
    channel: Channel,
    port: ValuePort,
    outgoing: Direction,
    incoming: Direction,
    isRead: ((slot: number) => boolean) | null = null,
  ) {
    this.#isRead = isRead;
    this.#byPort = channel.byPort;
    const { cells } = channel;
    this.#channel = channel;
    this.#port = port;
    const { shapesAt, arenaAt, endAt } = outgoing;
    this.#writer = new Writer(
      new ShapeTree(cells, shapesAt, arenaAt),
      new ShapeList(cells, shapesAt),
    );
    this.#reader = new Reader(new ShapeList(cells, incoming.shapesAt));
    this.#arena = new Arena(arenaAt, endAt, channel.slots);
  }

  /**
   * Puts a value into a slot, which is to be published behind it. Gives the bytes that lie in the
   * port, -1 if it is cloned there. Throws what the clone throws, or a getter of the value; nothing
   * was sent then.
   */
  send(
    slot: number,
    value: unknown,
    transferList: readonly Transferable[] | null,
    prospects: Prospects,
  ): number {
    this.#arena.free(slot);
    if (transferList !== null) return this.#clone(slot, value, transferList, kTransferred);
    if (this.#byPort || !prospects.good) return this.#clone(slot, value, null, kClonedUntried);
    const rest = this.#writer.write(value);
    if (rest !== kWritten) {
      prospects.failed();
      return this.#clone(slot, rest, null, kCloned);
    }
    prospects.succeeded();
    const { words, length, moved } = this.#writer;
    const at = this.#allocate(slot, length);
    if (at < 0) return this.#sendWords(slot, words, length, moved);
    this.#channel.setValueAt(slot, at);
    copyWords(words, length, this.#channel.cells, at);
    this.sent.bytes += 4 * length;
    if (moved.length === 0) {
      this.#tell(slot, kInWords);
      return 0;
    }
    const bytes = this.#move(moved, null);
    this.#tell(slot, kInWordsAndPort);
    return bytes;
  }

  #tell(slot: number, path: number): void {
    this.#channel.setPath(slot, path);
    this.sent.paths[path]!++;
  }

  #allocate(slot: number, words: number): number {
    const at = this.#arena.allocate(slot, words);
    if (at >= 0 || this.#isRead === null) return at;
    for (let other = 0; other < this.#channel.slots; other++) {
      if (this.#isRead(other)) this.#arena.free(other);
    }
    return this.#arena.allocate(slot, words);
  }

  #clone(
    slot: number,
    value: unknown,
    transferList: readonly Transferable[] | null,
    path: number,
  ): number {
    const from = now();
    this.#port.post(value, transferList);
    this.sent.cloneMs += now() - from;
    this.#tell(slot, path);
    return -1;
  }

  #sendWords(
    slot: number,
    words: Int32Array,
    length: number,
    moved: readonly ArrayBufferLike[],
  ): number {
    const copy = new PlainInt32Array(length);
    TypedArraySet(copy, wordsOf(words, length));
    // Only such a value can have taken much room.
    this.#writer.release();
    const bytes = this.#move(moved, TypedArrayBuffer(copy));
    this.#tell(slot, kWordsByPort);
    return bytes;
  }

  /** Moves buffers; `first` is that of the words, if they go along. One alone is the message. */
  #move(moved: readonly ArrayBufferLike[], first: ArrayBufferLike | null): number {
    if (first === null && moved.length === 1) {
      const buffer = moved[0] as ArrayBuffer;
      const bytes = lengthOfArrayBuffer(buffer);
      this.#port.post(buffer, [buffer]);
      this.sent.bytes += bytes;
      return bytes;
    }
    const message: (ArrayBufferLike | null)[] = bareList();
    const list: Transferable[] = bareList();
    message[0] = first;
    for (let i = 0; i < moved.length; i++) message[i + 1] = moved[i]!;
    let bytes = 0;
    for (let i = 0; i < message.length; i++) {
      const buffer = message[i] as ArrayBuffer | null;
      if (buffer === null) continue;
      list[list.length] = buffer;
      bytes += lengthOfArrayBuffer(buffer);
    }
    this.#port.post(message, list);
    this.sent.bytes += bytes;
    return bytes;
  }

  /** Whether the value of the next slot is here. */
  isHere(slot: number): boolean {
    return this.#channel.pathOf(slot) === kInWords || this.#port.hasArrived;
  }

  /**
   * The value of a slot, or an `UnreadableValue`. Slots are to be taken in their order in the ring.
   */
  receive(slot: number): unknown {
    const path = this.#channel.pathOf(slot);
    const { received } = this;
    received.paths[path]!++;
    if (path >= kCloned) {
      const from = now();
      const value = this.#port.take();
      received.cloneMs += now() - from;
      return value;
    }
    const message = path === kInWords ? kNone : this.#port.take();
    if (message instanceof UnreadableValue) return message;
    const parts = ArrayIsArray(message) ? (message as unknown[]) : [null, message];
    for (let i = 0; i < parts.length; i++) {
      if (parts[i] !== null) received.bytes += lengthOfArrayBuffer(parts[i] as ArrayBuffer);
    }
    try {
      if (path === kWordsByPort) {
        const words = new PlainInt32Array(parts[0] as ArrayBuffer);
        const value = this.#reader.read(words, 0, parts);
        this.#reader.drop();
        return value;
      }
      const value = this.#reader.read(this.#channel.cells, this.#channel.valueAt(slot), parts);
      received.bytes += 4 * this.#reader.length;
      return value;
    } catch (error) {
      return new UnreadableValue(error);
    }
  }

  /** Drops the value of a slot. */
  discard(slot: number): void {
    if (this.#channel.pathOf(slot) !== kInWords) this.#port.discard();
  }

  /** The other side will not read, or has read, what this side has sent in a slot. */
  free(slot: number): void {
    this.#arena.free(slot);
  }
}

/** What either side needs of a carrier, whatever values cross by. */
export type ValueCarrier = Pick<Carrier, keyof Carrier>;

function copyWords(from: Int32Array, count: number, to: Int32Array, at: number): void {
  if (count > kCopiedWords) {
    TypedArraySet(to, wordsOf(from, count), at);
    return;
  }
  for (let i = 0; i < count; i++) to[at + i] = from[i]!;
}
