// How a pool's thread and a worker process talk: frames on two pipes, one each way.
//
// A frame is a head of fixed size, and behind it a value or nothing. Values are written by V8's own
// serializer, which is what a structured clone writes by; what belongs to the runtime and not to
// the language (a MessagePort, shared memory, a handle) has no form in it, and is refused.
//
// Guarantees: to write a value throws what is wrong with it before anything was sent; a frame is
// given to its reader whole or, if its sender died in the middle of it, never; what is read shares
// no memory with the pipe's. A pipe in which something else was written is given up.

import { constants } from 'node:buffer';
import { Deserializer, Serializer } from 'node:v8';
import { PlainDOMException, uncurry } from '../base/intrinsics.js';
import { allocateBytes, TypedArraySet } from '../base/value-intrinsics.js';

/**
 * The pipes of a worker process, by their numbers there: to it, and from it. Two, since whoever
 * writes to a pipe that has lost its other end can read no more from it.
 */
export const kTasksPipe = 4;
export const kResultsPipe = 5;

// The kinds of frames. Behind each are its numbers, in order.
/** To the worker: how it begins, once. Its value is a {@link ProcessInit}. */
export const kInitFrame = 1;
/** To the worker: slot, handler, code, when it was posted. Its value is the task. */
export const kTaskFrame = 2;
/** To the worker: slot, and what its task is asked. */
export const kAskFrame = 3;
/** Both ways. Its value is a control message. */
export const kControlFrame = 4;
/** To the owner: a handler, which is loaded or has failed. */
export const kLoadedFrame = 5;
/** To the owner: slot, and when its handler was called, which is next. */
export const kBegunFrame = 6;
/**
 * To the owner: slot, code, when it began, how long it ran, and its mark, not 0 while output that
 * the task wrote is on its way. Its value is the result.
 */
export const kResultFrame = 7;
/** To the owner: how much registered work is alive, and how much has ended well. */
export const kBackgroundFrame = 8;
/** To the owner: a slot, and the mark of the result that waits for output no longer. */
export const kReleasedFrame = 9;
/** To the owner. Its value is what the process dies of, as it crosses. */
export const kFatalFrame = 10;

/** The mark, the kind, the length and the numbers of a frame. */
const kHeadBytes = 64;
const kMark = 0x63_65_6e_6f;
const kMostBytes = constants.MAX_LENGTH;
const kKindAt = 4;
const kLengthAt = 8;
const kNumbersAt = 16;
/** Numbers in a head. */
const kNumbers = 6;

type Numbers = readonly [number?, number?, number?, number?, number?];

/** A frame as it arrived. */
export interface Frame {
  readonly kind: number;
  number(index: number): number;
  /** Empty if there is no value. */
  readonly body: Buffer;
}

type Read = (bytes: Buffer, at: number) => number;
type Write = (bytes: Buffer, value: number, at: number) => number;
const readUint = uncurry(Buffer.prototype.readUInt32LE as never) as Read;
const writeUint = uncurry(Buffer.prototype.writeUInt32LE as never) as Write;
const readDouble = uncurry(Buffer.prototype.readDoubleLE as never) as Read;
const writeDouble = uncurry(Buffer.prototype.writeDoubleLE as never) as Write;
/** A part of the same memory. */
export const subarray = uncurry(Buffer.prototype.subarray as never) as (
  bytes: Buffer,
  from: number,
  to?: number,
) => Buffer;

function refusal(message: string): DOMException {
  return new PlainDOMException(message, 'DataCloneError');
}

class ValueWriter extends Serializer {}
const writerMethods = Serializer.prototype;
const writeRaw = uncurry(writerMethods.writeRawBytes);
const writeHeader = uncurry(writerMethods.writeHeader);
const writeValue = uncurry(writerMethods.writeValue);
const releaseBuffer = uncurry(writerMethods.releaseBuffer);
// What the serializer calls by these names.
Object.assign(ValueWriter.prototype, {
  _getDataCloneError: refusal,
  _getSharedArrayBufferId: () => {
    throw refusal('A SharedArrayBuffer could not be cloned: a worker process shares no memory');
  },
  _writeHostObject: (value: object) => {
    throw refusal(`${nameOf(value)} could not be cloned: it cannot cross to another process`);
  },
});

function nameOf(value: object): string {
  try {
    const { name } = value.constructor;
    return typeof name === 'string' && name !== '' ? `A ${name}` : 'An object';
  } catch {
    return 'An object';
  }
}

const kBlankHead = new Uint8Array(kHeadBytes);

/** Room for a head, and a value. Throws a `DataCloneError`, or what a getter throws. */
export function encodeValue(value: unknown): Buffer {
  const writer = new ValueWriter();
  writeRaw(writer, kBlankHead);
  writeHeader(writer);
  writeValue(writer, value);
  return releaseBuffer(writer);
}

const readerMethods = Deserializer.prototype;
const readHeader = uncurry(readerMethods.readHeader);
const readValue = uncurry(readerMethods.readValue) as (reader: Deserializer) => unknown;

/** The value of a frame. */
export function decodeValue(body: Buffer): unknown {
  const reader = new Deserializer(body);
  readHeader(reader);
  return readValue(reader);
}

/** Makes a frame: of what {@link encodeValue} gave, or with no value. */
export function frameOf(kind: number, numbers: Numbers, value: Buffer | null): Buffer {
  const frame = value ?? allocateBytes(kHeadBytes);
  writeUint(frame, kMark, 0);
  writeUint(frame, kind, kKindAt);
  writeDouble(frame, frame.length, kLengthAt);
  for (let i = 0; i < kNumbers; i++) writeDouble(frame, numbers[i] ?? 0, kNumbersAt + 8 * i);
  return frame;
}

/** Puts frames together again from the chunks of a pipe. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  /** A frame that has come in part: its head first, and then all of it. */
  #partial: Buffer | null = null;
  #filled = 0;
  /** A chunk is being taken: what follows from its frames must not take the next one first. */
  isBusy = false;
  /** What came is no frame: nothing after it can be read. */
  isBroken = false;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  take(chunk: Buffer): void {
    this.isBusy = true;
    try {
      this.#takeAll(chunk);
    } finally {
      this.isBusy = false;
    }
  }

  #takeAll(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.isBroken) {
      if (this.#partial === null) {
        const left = chunk.length - at;
        const length = left < kHeadBytes ? kHeadBytes : this.#lengthAt(chunk, at);
        if (this.isBroken) return;
        if (length <= left) {
          this.#give(subarray(chunk, at, at + length));
          at += length;
          continue;
        }
        this.#partial = allocateBytes(length);
        this.#filled = 0;
      }
      at = this.#fill(this.#partial, chunk, at);
    }
  }

  #fill(partial: Buffer, chunk: Buffer, at: number): number {
    const wanted = partial.length - this.#filled;
    const end = chunk.length - at < wanted ? chunk.length : at + wanted;
    TypedArraySet(partial, subarray(chunk, at, end), this.#filled);
    this.#filled += end - at;
    if (this.#filled < partial.length) return end;
    const length = this.#lengthAt(partial, 0);
    if (this.isBroken) return end;
    if (length > partial.length) {
      // It was the head alone.
      this.#partial = allocateBytes(length);
      TypedArraySet(this.#partial, partial, 0);
      return end;
    }
    this.#partial = null;
    this.#give(partial);
    return end;
  }

  #lengthAt(bytes: Buffer, at: number): number {
    const length = readDouble(bytes, at + kLengthAt);
    const isMarked = readUint(bytes, at) === kMark;
    this.isBroken = !isMarked || !(length >= kHeadBytes && length <= kMostBytes);
    return length;
  }

  #give(frame: Buffer): void {
    this.#onFrame({
      kind: readUint(frame, kKindAt),
      number: (index) => readDouble(frame, kNumbersAt + 8 * index),
      body: subarray(frame, kHeadBytes),
    });
  }
}
