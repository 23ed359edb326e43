// A worker's side of a channel, on the owner's thread, for a worker that is a process.
//
// The channel is where the pool posts tasks, takes them back, and finds results, as with a thread;
// here they are claimed and handed to a pipe, and what comes from the pipe is published.
//
// Guarantees: no more tasks are claimed than the process may run at once, and none before its
// handler is loaded there, so that all others can be taken back and are not lost with the process;
// a task counts as entered when the process has said that it calls its handler.

import {
  AtomicsCompareExchange,
  AtomicsLoad,
  AtomicsStore,
  bareList,
  MathMax,
  MathMin,
  now,
  SafeSet,
} from '../base/intrinsics.js';
import { PlainInt32Array } from '../base/value-intrinsics.js';
import {
  kAskNothing,
  kAsks,
  kBackgroundActive,
  kBackgroundCompleted,
  kClaimed,
  kFree,
  kPosted,
  kRevoked,
  RingReader,
  RingWriter,
  type Channel,
} from '../wire/channel.js';
import {
  frameOf,
  kAskFrame,
  kBackgroundFrame,
  kBegunFrame,
  kLoadedFrame,
  kReleasedFrame,
  kResultFrame,
  kTaskFrame,
  type Frame,
} from '../wire/frames.js';
import type { ProcessCarrier } from '../wire/process-carrier.js';

/** A wake that took no time is told from one that was not measured. */
const kLeastMs = Number.MIN_VALUE;

export class ProcessRelay {
  readonly #channel: Channel;
  readonly #carrier: ProcessCarrier;
  readonly #concurrency: number;
  readonly #write: (frame: Buffer) => void;
  readonly #tasks: RingReader;
  readonly #results: RingWriter;
  /** Handlers that the process has loaded, or failed to load. */
  readonly #loaded = new SafeSet<number>();
  /** Slots of tasks that the process has, in no order; and by slot, where it is among these. */
  readonly #running: number[] = bareList();
  readonly #places: Int32Array;
  #seenAsks = 0;
  /** The process takes tasks. */
  isOpen = false;
  /** Results were published since the owner last looked. */
  hasNews = false;

  constructor(
    channel: Channel,
    carrier: ProcessCarrier,
    concurrency: number,
    write: (frame: Buffer) => void,
  ) {
    this.#channel = channel;
    this.#carrier = carrier;
    this.#concurrency = concurrency;
    this.#write = write;
    this.#places = new PlainInt32Array(channel.slots);
    this.#tasks = new RingReader(channel.tasks);
    this.#results = new RingWriter(channel.results);
  }

  /** Hands over what the process may run, and what its tasks are asked. */
  pump(): void {
    if (!this.isOpen) return;
    this.#forwardAsks();
    for (let slot = this.#next(); slot >= 0; slot = this.#next()) {
      if (this.#running.length >= this.#concurrency) return;
      if (!this.#loaded.has(this.#channel.handlerOf(slot))) return;
      this.#hand(slot);
    }
  }

  /** The slot of the next task, -1 if there is none. */
  #next(): number {
    const { cells } = this.#channel;
    for (;;) {
      const slot = this.#tasks.peek();
      if (slot < 0) return -1;
      const at = this.#channel.stateAt(slot);
      if (AtomicsLoad(cells, at) !== kRevoked) return slot;
      // Taken back: its slot is the owner's again.
      this.#carrier.free(slot);
      this.#tasks.advance();
      AtomicsStore(cells, at, kFree);
    }
  }

  #hand(slot: number): void {
    const channel = this.#channel;
    // Until the process says when it began.
    channel.setStartedAt(slot, now());
    const at = channel.stateAt(slot);
    if (AtomicsCompareExchange(channel.cells, at, kPosted, kClaimed) !== kPosted) return;
    this.#tasks.advance();
    this.#places[slot] = this.#running.length;
    this.#running[this.#running.length] = slot;
    const numbers = [
      slot,
      channel.handlerOf(slot),
      channel.codeOf(slot),
      channel.postedAt(slot),
    ] as const;
    this.#write(frameOf(kTaskFrame, numbers, this.#carrier.takeOut(slot)));
  }

  /** An ask that comes too late is dropped there: it is ahead of the slot's next task. */
  #forwardAsks(): void {
    const { cells } = this.#channel;
    const asks = AtomicsLoad(cells, kAsks);
    if (asks === this.#seenAsks) return;
    this.#seenAsks = asks;
    for (let i = 0; i < this.#running.length; i++) {
      const slot = this.#running[i]!;
      const ask = AtomicsLoad(cells, this.#channel.askAt(slot));
      // Asked again, it is the same.
      if (ask !== kAskNothing) this.#write(frameOf(kAskFrame, [slot, ask], null));
    }
  }

  /** Takes a frame that is about tasks. `false`: it is not. */
  take(frame: Frame): boolean {
    switch (frame.kind) {
      case kLoadedFrame:
        this.#loaded.add(frame.number(0));
        return true;
      case kBegunFrame: {
        const slot = frame.number(0);
        if (!this.#has(slot)) return true;
        this.#channel.setStartedAt(slot, this.#beginOf(slot, frame.number(1)));
        this.#channel.setEntered(slot, true);
        return true;
      }
      case kResultFrame:
        this.#publish(frame);
        return true;
      case kReleasedFrame:
        this.#release(frame.number(0), frame.number(1));
        return true;
      case kBackgroundFrame:
        AtomicsStore(this.#channel.cells, kBackgroundActive, frame.number(0));
        AtomicsStore(this.#channel.cells, kBackgroundCompleted, frame.number(1));
        return true;
      default:
        return false;
    }
  }

  #release(slot: number, mark: number): void {
    if (!(slot >= 0 && slot < this.#channel.slots)) return;
    AtomicsCompareExchange(this.#channel.cells, this.#channel.markAt(slot), mark, 0);
    this.hasNews = true;
  }

  /**
   * When a task began, on this thread's clock, by what the process says. Whatever clocks it has, or
   * this one had when the package was loaded, that was after the task was handed over.
   */
  #beginOf(slot: number, said: number): number {
    const earliest = this.#channel.startedAt(slot);
    const latest = now();
    return said >= earliest && said <= latest
      ? said
      : MathMin(MathMax(earliest, said || 0), latest);
  }

  #has(slot: number): boolean {
    const place = this.#places[slot];
    return place !== undefined && this.#running[place] === slot;
  }

  #publish(frame: Frame): void {
    const channel = this.#channel;
    const slot = frame.number(0);
    if (!this.#has(slot)) return;
    const running = this.#running;
    const last = running[running.length - 1]!;
    running[this.#places[slot]!] = last;
    this.#places[last] = this.#places[slot]!;
    running.length--;
    channel.setCode(slot, frame.number(1));
    const startedAt = this.#beginOf(slot, frame.number(2));
    const postedAt = channel.postedAt(slot);
    channel.setStartedAt(slot, startedAt);
    channel.setRunMs(slot, frame.number(3));
    channel.setWakeMs(slot, postedAt > 0 ? MathMax(kLeastMs, startedAt - postedAt) : 0);
    AtomicsStore(channel.cells, channel.markAt(slot), frame.number(4));
    this.#carrier.bringIn(slot, frame.body);
    this.#results.push(slot);
    this.hasNews = true;
  }
}
