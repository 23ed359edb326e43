// Runs tasks in a worker: claims them, calls their handlers, publishes results.
//
// Guarantees: a task runs only if its claim succeeded, so one that the owner took back never does;
// at most `concurrency` are begun and unsettled; after `turnBudget` of tasks in a row, synchronous
// or not, the loop gets a turn (P1). No task begins before the reaction of a promise that may be
// settled, so that whatever has ended is published by then.
//
// The owner is told of results when the worker has nothing more to run, after kTellCount of them,
// after kTellMs, and before a task that is not known to be shorter than that. If it turns out to be
// longer, the owner finds them by itself (second-look.ts).
//
// The clock is read once a task: its end is the start of the next.

import { AtomicsLoad, nextTick, now, PromiseThen, soon } from '../base/intrinsics.js';
import { unreadable } from '../errors.js';
import { kAskNothing, type Channel } from '../wire/channel.js';
import { kRefused, kReturned, kThrew, type WireError } from '../wire/messages.js';
import { UnreadableValue } from '../wire/value-port.js';
import type { LoadFailure } from './handler-loader.js';
import type { HandlerEntry } from './handler-table.js';
import type { Inbox } from './inbox.js';
import { Isolation } from './isolation.js';
import type { Outbox } from './outbox.js';
import { failureToWire } from './reports.js';
import { WorkerTaskContext, type Handler, type TaskHost } from './task-context.js';
import type { Turn } from './turn.js';

/** The longest that a result waits for others while short tasks run, in ms. */
const kTellMs = 0.05;
/**
 * The most that wait. An owner that has had some posts again before the worker is through with the
 * rest; if it had them all at the end, one of the two would always wait for the other.
 */
const kTellCount = 4;
/** A wake that took no time is told from one that was not measured. */
const kLeastMs = Number.MIN_VALUE;

/** How a worker runs tasks. */
interface RunnerOptions {
  readonly concurrency: number;
  /** Handlers are called with the task alone. */
  readonly bare: boolean;
  /** What to add to this thread's clock to get the owner's, in ms. */
  readonly clockShift: number;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #channel: Channel;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #turn: Turn;
  readonly #host: TaskHost;
  readonly #entryOf: (handler: number) => HandlerEntry | undefined;
  readonly #onPause: () => void;
  readonly #isolation = new Isolation();
  #running = 0;
  /** The clock when it was last read, and when the owner was last told. */
  #now = 0;
  #toldAt = 0;
  /** Tasks begun since. */
  #untold = 0;
  #pumping = false;
  /** A task returned a promise, and no microtask has run since. */
  #promised = false;
  #goesOn = false;
  readonly #askForTick = (): void => nextTick(this.#onTick);
  readonly #onTick = (): void => {
    this.#goesOn = false;
    this.run();
    this.#onPause();
  };

  /**
   * `entryOf` gives a handler by its number, if it is known. `onPause` is called when the runner
   * has run, by itself, what there was.
   */
  constructor(
    options: RunnerOptions,
    channel: Channel,
    inbox: Inbox,
    outbox: Outbox,
    turn: Turn,
    host: TaskHost,
    entryOf: (handler: number) => HandlerEntry | undefined,
    onPause: () => void,
  ) {
    this.#options = options;
    this.#channel = channel;
    this.#inbox = inbox;
    this.#outbox = outbox;
    this.#turn = turn;
    this.#host = host;
    this.#entryOf = entryOf;
    this.#onPause = onPause;
  }

  /**
   * Runs what there is, and tells the owner. In a turn of the loop, not in a reaction of a promise.
   */
  run(at = now()): void {
    this.#now = at;
    this.#promised = false;
    this.#pump();
    this.#tell();
  }

  /**
   * Runs what there is once all that settles now has settled: a tick that a microtask asks for is
   * behind it.
   */
  goOn(): void {
    if (this.#goesOn) return;
    this.#goesOn = true;
    soon(this.#askForTick);
  }

  /** Runs tasks until there are none, the worker is full, or the turn is over. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#running < this.#options.concurrency) {
      const slot = this.#inbox.peek();
      if (slot < 0 || !this.#turn.mayBegin(this.#now)) break;
      if (this.#promised) {
        this.goOn();
        break;
      }
      const entry = this.#entryOf(this.#channel.handlerOf(slot));
      // The end of the loading comes back here. Until then the task is not begun: should the worker
      // die of the loading, or another be free sooner, it is not lost.
      if (entry === undefined || entry.handler === null) break;
      // It may cost the worker, or take long.
      if (this.#channel.codeOf(slot) !== 0 || entry.averageMs >= kTellMs) this.#tell();
      this.#begin(slot, entry, entry.handler);
      if (++this.#untold >= kTellCount || this.#now - this.#toldAt >= kTellMs) this.#tell();
    }
    if (this.#inbox.gaveBack) {
      this.#inbox.gaveBack = false;
      this.#outbox.hasNews = true;
    }
    this.#pumping = false;
  }

  #begin(slot: number, entry: HandlerEntry, handler: Handler | LoadFailure): void {
    const channel = this.#channel;
    const startedAt = this.#now;
    const ownersTime = startedAt + this.#options.clockShift;
    // Before the claim, so that an owner who sees the claim sees this.
    channel.setStartedAt(slot, ownersTime);
    if (!this.#inbox.claim(slot)) return;
    const postedAt = channel.postedAt(slot);
    const wakeMs = ownersTime - postedAt;
    channel.setWakeMs(slot, postedAt > 0 ? (wakeMs > 0 ? wakeMs : kLeastMs) : 0);
    const payload = this.#inbox.take(slot);
    if (payload instanceof UnreadableValue) {
      const { code, message } = unreadable('task', payload.cause);
      this.#finish(slot, entry, kRefused, { code, message } satisfies WireError, startedAt);
      return;
    }
    if (typeof handler !== 'function') {
      this.#refuse(slot, handler.error);
      return;
    }
    // Its caller has an answer already: to read a large task takes longer than some may run.
    if (channel.codeOf(slot) !== 0 && isAsked(channel, slot)) {
      this.#finish(slot, entry, kReturned, undefined, startedAt);
      return;
    }
    // A bare handler gets one only where its call asked for what it is for.
    const isAlone = this.#options.bare && entry.carries === 0;
    const context = isAlone ? null : new WorkerTaskContext(this.#host, slot);
    let value: unknown;
    channel.setEntered(slot, true);
    try {
      value = this.#isolation.run(handler, payload, context);
    } catch (error) {
      this.#now = now();
      context?.end();
      this.#finish(slot, entry, kThrew, error, startedAt);
      return;
    }
    this.#now = now();
    if (this.#isolation.pending) {
      this.#await(slot, entry, value as Promise<unknown>, context, startedAt);
      return;
    }
    context?.end();
    this.#finish(slot, entry, kReturned, value, startedAt);
  }

  #await(
    slot: number,
    entry: HandlerEntry,
    value: Promise<unknown>,
    context: WorkerTaskContext | null,
    startedAt: number,
  ): void {
    this.#running++;
    this.#promised = true;
    const settle = (code: number, outcome: unknown): void => {
      context?.end();
      this.#running--;
      this.#now = now();
      this.#finish(slot, entry, code, outcome, startedAt);
      this.goOn();
    };
    void PromiseThen(
      value,
      (result: unknown) => settle(kReturned, result),
      (error: unknown) => settle(kThrew, error),
    );
  }

  /** The answer to every task whose handler could not be loaded: why. */
  #refuse(slot: number, error: unknown): void {
    this.#channel.setRunMs(slot, 0);
    const failure = failureToWire(error);
    this.#outbox.finish(slot, failure[0], failure[1]);
  }

  #finish(
    slot: number,
    entry: HandlerEntry,
    code: number,
    value: unknown,
    startedAt: number,
  ): void {
    const runMs = this.#now - startedAt;
    this.#channel.setRunMs(slot, runMs);
    entry.measure(runMs);
    // What it took to send a large result is not the next task's time.
    if (this.#outbox.finish(slot, code, value, entry.prospects)) this.#now = now();
  }

  #tell(): void {
    this.#untold = 0;
    if (!this.#outbox.hasNews) return;
    this.#outbox.tell();
    this.#toldAt = this.#now;
  }
}

/** Whether a task was asked to end before it was called. */
function isAsked(channel: Channel, slot: number): boolean {
  return AtomicsLoad(channel.cells, channel.askAt(slot)) !== kAskNothing;
}
