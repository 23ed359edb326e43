// The results of tasks, on their way to the owner.
//
// Guarantees: a result is published when its task ends, before anything else runs, so the owner can
// read it whatever the worker does next; one that cannot be cloned fails alone; what the task wrote
// to stdout and stderr is with the owner before its caller goes on, if the owner takes it at all.
//
// To publish costs a store. To make the owner look costs more, and is left to `tell`: the runner
// calls it for many results at once.

import {
  AtomicsCompareExchange,
  AtomicsStore,
  clearTimeout,
  SafeSet,
  setTimeout,
} from '../base/intrinsics.js';
import { describe } from '../errors.js';
import { Prospects, type ValueCarrier } from '../wire/carrier.js';
import { kInWords, RingWriter, type Channel } from '../wire/channel.js';
import { toWire } from '../wire/errors/decoder.js';
import { kRefused, kReturned, kThrew, type WireError } from '../wire/messages.js';
import { isMovable, unwrapMovable } from '../wire/move.js';
import { afterOutput, hasOutput } from './output.js';

/** An owner that takes no output for so long, in ms, has nobody to give it to. */
const kOutputMs = 3_000;
/** Marks are numbers from 1 to this, and one more. */
const kMarkMask = 0x3fffffff;

export class Outbox {
  readonly #channel: Channel;
  readonly #carrier: ValueCarrier;
  readonly #ring: RingWriter;
  readonly #wakeOwner: () => void;
  /** Called when a result waits for output no longer. */
  readonly #onLate: () => void;
  /** What takes the marks away from results that wait for output. */
  readonly #held = new SafeSet<() => void>();
  /** Of what handlers throw. */
  readonly #ofErrors = new Prospects();
  #lastMark = 0;
  #outputStalled = false;
  /** Results were published that the owner has not been told of. */
  hasNews = false;

  constructor(channel: Channel, carrier: ValueCarrier, wakeOwner: () => void, onLate: () => void) {
    this.#channel = channel;
    this.#carrier = carrier;
    this.#ring = new RingWriter(channel.results);
    this.#wakeOwner = wakeOwner;
    this.#onLate = onLate;
  }

  /** The task in a slot has ended. Its times are written. `true`: to send it took its time. */
  finish(slot: number, code: number, value: unknown, prospects = this.#ofErrors): boolean {
    if (hasOutput() && !this.#outputStalled) this.#mark(slot);
    this.#publish(slot, code, value, prospects);
    return this.#channel.pathOf(slot) !== kInWords;
  }

  /** Has the owner keep a result back until the output that there is now is with it. */
  #mark(slot: number): void {
    const { cells } = this.#channel;
    const at = this.#channel.markAt(slot);
    // The owner may have given up waiting, and the slot be another task's: its mark is another.
    const mark = (this.#lastMark = (this.#lastMark & kMarkMask) + 1);
    AtomicsStore(cells, at, mark);
    const release = (): void => {
      if (!this.#held.delete(release)) return;
      clearTimeout(timer);
      AtomicsCompareExchange(cells, at, mark, 0);
      this.hasNews = true;
      this.released(slot, mark);
    };
    const releaseLate = (stalled: boolean): void => {
      this.#outputStalled = stalled;
      release();
      this.#onLate();
    };
    const timer = setTimeout(releaseLate, kOutputMs, true);
    timer.unref();
    this.#held.add(release);
    afterOutput(() => releaseLate(false));
  }

  /** A result waits for output no longer. For an owner who does not see its mark. */
  protected released(_slot: number, _mark: number): void {}

  /** No output is waited for any more. */
  releaseHeld(): void {
    this.#held.forEach((release) => release());
  }

  #publish(slot: number, code: number, value: unknown, prospects: Prospects): void {
    if (code === kReturned) {
      const error = this.#send(slot, kReturned, value, prospects);
      // A result fails with what the clone said, or with what a getter threw: that may be anything.
      if (error === null) return;
      code = kThrew;
      value = error.thrown;
    }
    if (code === kThrew) {
      const [wireCode, wireValue] = toWire(value);
      if (this.#send(slot, wireCode, wireValue) === null) return;
      // A thrown value has no such answer of its own.
      code = kRefused;
      value = uncloneable('The handler threw', value);
    }
    if (this.#send(slot, code, value) !== null) {
      this.#send(slot, kRefused, uncloneable('The handler threw', undefined));
    }
  }

  /** `null`, or what kept the value from being sent. */
  #send(
    slot: number,
    code: number,
    value: unknown,
    prospects = this.#ofErrors,
  ): { thrown: unknown } | null {
    const channel = this.#channel;
    try {
      if (code === kReturned && isMovable(value)) {
        const moved = unwrapMovable(value);
        this.#carrier.send(slot, moved.value, moved.transferList, prospects);
      } else {
        this.#carrier.send(slot, value, null, prospects);
      }
    } catch (error) {
      return { thrown: error };
    }
    channel.setCode(slot, code);
    this.#ring.push(slot);
    this.hasNews = true;
    return null;
  }

  /** Makes the owner look. */
  tell(): void {
    if (!this.hasNews) return;
    this.hasNews = false;
    this.#wakeOwner();
  }
}

export function uncloneable(what: string, value: unknown): WireError {
  return {
    code: 'ERR_CENOTE_UNCLONEABLE_ERROR',
    message: `${what} a value that cannot be cloned: ${describe(value)}`,
  };
}
