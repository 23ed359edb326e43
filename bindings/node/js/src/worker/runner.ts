// Runs tasks in a worker: claims them, calls their handlers, publishes results.
//
// Guarantees: a task runs only if its claim succeeded, so one that the owner took back never does;
// at most `concurrency` are begun and unsettled; after `turnBudget` of tasks in a row, synchronous
// or not, the loop gets a turn (P1). The owner is told of results when the worker has nothing more to
// run, after kTellMs, and before a task that is not known to be shorter than that: what has ended is
// published then in any case (outbox.ts), and the owner looks again by itself (second-look.ts).
//
// The clock is read once a task: its end is the start of the next.

import {
  AtomicsLoad,
  bareList,
  nextTick,
  now,
  PromiseThen,
  SafeSet,
  setImmediate,
} from '../base/intrinsics.js';
import { unreadable } from '../errors.js';
import { thisLoop, wake, type LoopAddress, type LoopSource } from '../wait/loop.js';
import { loadNative, whyPortable } from '../wait/native.js';
import { Carrier } from '../wire/carrier.js';
import {
  Channel,
  kAsks,
  kControlsToOwner,
  kControlsToWorker,
  kOwnerKicked,
  kWorkerKicked,
} from '../wire/channel.js';
import { ControlPort } from '../wire/control-port.js';
import { toWire } from '../wire/errors/decoder.js';
import {
  clockOrigin,
  kRefused,
  kReturned,
  kThrew,
  type HandlerMessage,
  type Init,
  type ToOwner,
  type ToWorker,
  type WireError,
  type WireFailure,
} from '../wire/messages.js';
import { UnreadableValue, ValuePort } from '../wire/value-port.js';
import { Background } from './background.js';
import { HandlerLoader, LoadFailure } from './handler-loader.js';
import { Inbox } from './inbox.js';
import { Isolation } from './isolation.js';
import { leave } from './leaving.js';
import { HandlerNotFound } from './not-found.js';
import { Outbox, uncloneable } from './outbox.js';
import { WorkerTaskContext, type Handler, type TaskHost } from './task-context.js';

/** The longest that a result waits for others while short tasks run, in ms. */
const kTellMs = 0.05;
/** A wake that took no time is told from one that was not measured. */
const kLeastMs = Number.MIN_VALUE;
/** Weight of the newest run in the moving average of a handler. */
const kWeight = 1 / 8;

/** The words that the worker's side of a control port goes by. */
const kControlWords = {
  sent: kControlsToOwner,
  received: kControlsToWorker,
  kicked: kWorkerKicked,
  kicks: kOwnerKicked,
};

/** A handler of this worker. */
interface Entry {
  /** A function, or why there is none; null while it is loading. */
  handler: Handler | LoadFailure | null;
  /** Moving average of its run time in ms; Infinity until it has run. */
  averageMs: number;
}

export class Runner implements LoopSource, TaskHost {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly #channel: Channel;
  readonly #control: ControlPort<ToOwner, ToWorker>;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #background: Background;
  readonly #loader: HandlerLoader;
  readonly #isolation = new Isolation();
  readonly #owner: LoopAddress;
  readonly #portable: boolean;
  readonly #concurrency: number;
  readonly #bare: boolean;
  /** By index. */
  readonly #handlers: (Entry | undefined)[] = bareList();
  /** Contexts whose signal somebody has. */
  readonly #watching = new SafeSet<WorkerTaskContext>();
  #seenAsks = 0;
  /** What to add to this thread's clock to get the owner's. */
  readonly #clockShift: number;
  readonly #turnBudgetMs: number;
  #running = 0;
  /** The clock when it was last read, when the owner was last told, and when the turn is over. */
  #now = 0;
  #toldAt = 0;
  #turnEndsAt = 0;
  #pumping = false;
  #tellScheduled = false;
  #turnScheduled = false;
  #released = false;
  readonly #closePorts: () => void;

  constructor(init: Init) {
    this.maxSpinUs = init.maxSpinUs;
    this.turnBudgetUs = init.turnBudgetUs;
    this.#turnBudgetMs = init.turnBudgetUs / 1000;
    this.#owner = init.owner;
    this.#portable = init.portable;
    this.#concurrency = init.concurrency;
    this.#bare = init.bare;
    this.#clockShift = clockOrigin() - init.ownerOrigin;
    this.#loader = new HandlerLoader(init.bare);
    this.#channel = new Channel(init.channel);
    const onArrival = init.portable ? (): void => this.#onEvent() : null;
    const carrier = new Carrier(this.#channel, new ValuePort(init.values, onArrival));
    this.#inbox = new Inbox(this.#channel, carrier);
    this.#outbox = new Outbox(
      this.#channel,
      carrier,
      () => this.#wakeOwner(),
      () => this.#goOn(),
    );
    this.#control = new ControlPort<ToOwner, ToWorker>(
      init.control,
      this.#channel,
      kControlWords,
      init.portable,
      (message) => this.#onControl(message),
    );
    this.#background = new Background(this.#channel, this.#loader, (error) => {
      this.#reportBackground(error);
    });
    this.#closePorts = (): void => {
      init.values.unref();
      init.control.unref();
    };
  }

  /** Loads the pool's handler, if there is one, and begins to take tasks. */
  async start({ preload, niceIncrement }: Init): Promise<void> {
    if (niceIncrement !== 0) await lowerPriority(niceIncrement);
    let loaded: Entry['handler'] = null;
    if (preload !== null) {
      await this.#define(preload);
      loaded = this.#handlers[preload.index]!.handler;
    }
    if (!this.#portable) {
      // The owner rings, and only an addon hears it: without one this worker must not seem ready.
      if (loadNative() === null) {
        throw new Error(`A worker of a native pool needs the addon: ${whyPortable()}`);
      }
      thisLoop.attach(this);
      thisLoop.hold();
    }
    process.on('exit', () => {
      this.#outbox.publishHeld();
      this.#outbox.tell();
    });
    this.#sendReady(loaded instanceof LoadFailure ? loaded : null);
    // What came before this line moved no epoch that this loop would notice.
    if (this.#portable) this.#onEvent();
    else thisLoop.again();
  }

  #sendReady(failure: LoadFailure | null): void {
    this.#send({ type: 'ready', address: thisLoop.address, failed: failure !== null });
    if (failure === null) return;
    try {
      this.#send({ type: 'failure', failure: failureToWire(failure.error) });
    } catch {
      const refusal = uncloneable('The file threw', failure.error);
      this.#send({ type: 'failure', failure: [kRefused, refusal] });
    }
  }

  #send(message: ToOwner): void {
    this.#control.post(message);
    if (!this.#portable) wake(this.#owner);
  }

  // LoopSource

  expectedUs(): number {
    return 0;
  }

  drain(): void {
    this.#control.poll();
    // It calls listeners of handlers, whose time is not the next task's.
    this.#lookAtAsks();
    this.#now = now();
    this.#turnEndsAt = this.#now + thisLoop.turnLeftMs;
    this.#pump();
    this.#tell();
    // The end of a drain is when the next task is likely: this lets the loop spin for it.
    thisLoop.expect();
  }

  // Receiving

  /** Something has come by a port: where nobody rings. */
  #onEvent(): void {
    this.#lookAtAsks();
    this.#now = now();
    this.#pump();
    this.#tell();
  }

  #onControl(message: ToWorker | UnreadableValue): void {
    if (message instanceof UnreadableValue) return;
    switch (message.type) {
      case 'handler':
        void this.#define(message);
        return;
      case 'close':
        this.#background.endWith(() => {
          this.#send({ type: 'closed' });
          leave(() => this.#letGo());
        });
        return;
      case 'retire':
        this.#background.endWith(() => this.#letGo());
        return;
      case 'kick':
        this.#onEvent();
        return;
    }
  }

  #define({ index, url, exportName }: HandlerMessage): Promise<void> {
    const entry: Entry = { handler: null, averageMs: Infinity };
    this.#handlers[index] = entry;
    return this.#load(entry, url, exportName);
  }

  #load(entry: Entry, url: string, exportName: string): Promise<void> {
    entry.handler = null;
    // It never rejects.
    return PromiseThen(this.#loader.load(url, exportName), (handler) => {
      entry.handler = handler;
      this.#goOn();
    });
  }

  /** Something that tasks waited for is there. */
  #goOn(): void {
    this.#now = now();
    this.#pump();
    this.#tellSoon();
  }

  // Running

  /** Runs tasks until there are none, the worker is full, or the turn is over. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#running < this.#concurrency) {
      const slot = this.#inbox.peek();
      if (slot < 0) break;
      if (this.#now >= this.#turnEndsAt && !this.#takeTurn()) break;
      const entry = this.#entryOf(slot);
      // The end of the loading comes back here. Until then the task is not begun: should the worker
      // die of the loading, or another be free sooner, it is not lost.
      if (entry === undefined || entry.handler === null) break;
      // Nothing begins while a result waits for output. The end of that comes back here as well.
      if (this.#outbox.holdsResults) {
        this.#outbox.hurry();
        break;
      }
      if (this.#channel.codeOf(slot) !== 0 || entry.averageMs >= kTellMs) this.#outbox.tell();
      this.#begin(slot, entry, entry.handler);
      if (this.#now - this.#toldAt >= kTellMs) this.#tell();
    }
    if (this.#inbox.gaveBack) {
      this.#inbox.gaveBack = false;
      this.#outbox.hasNews = true;
    }
    this.#pumping = false;
  }

  /** The handler of a task, if its definition is here. */
  #entryOf(slot: number): Entry | undefined {
    const index = this.#channel.handlerOf(slot);
    const entry = this.#handlers[index];
    if (entry !== undefined) {
      const { handler } = entry;
      // What failed is tried again after a while, or when the file has changed.
      if (handler instanceof LoadFailure && handler.isStale) {
        void this.#load(entry, handler.url, handler.exportName);
      }
      return entry;
    }
    // It was posted before the task was.
    this.#control.drain();
    return this.#handlers[index];
  }

  /** The turn is over and there is work: `true` if it goes on all the same. */
  #takeTurn(): boolean {
    if (this.#turnScheduled) return false;
    if (!this.#portable) {
      thisLoop.again();
      return false;
    }
    // A port event says nothing of turns. The first after a while begins one, and an immediate,
    // which runs behind timers and I/O, begins the next.
    this.#turnScheduled = true;
    const fresh = this.#turnEndsAt === 0;
    this.#turnEndsAt = this.#now + this.#turnBudgetMs;
    setImmediate(() => {
      this.#turnScheduled = false;
      this.#turnEndsAt = 0;
      this.#onEvent();
    });
    return fresh;
  }

  #begin(slot: number, entry: Entry, handler: Handler | LoadFailure): void {
    const channel = this.#channel;
    const startedAt = this.#now;
    const ownersTime = startedAt + this.#clockShift;
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
    const context = this.#bare ? null : new WorkerTaskContext(this, slot);
    let value: unknown;
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
    entry: Entry,
    value: Promise<unknown>,
    context: WorkerTaskContext | null,
    startedAt: number,
  ): void {
    this.#running++;
    const settle = (code: number, outcome: unknown): void => {
      context?.end();
      this.#running--;
      this.#now = now();
      this.#finish(slot, entry, code, outcome, startedAt);
      this.#pump();
      this.#tellSoon();
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

  #finish(slot: number, entry: Entry, code: number, value: unknown, startedAt: number): void {
    const runMs = this.#now - startedAt;
    this.#channel.setRunMs(slot, runMs);
    entry.averageMs =
      entry.averageMs === Infinity ? runMs : entry.averageMs + (runMs - entry.averageMs) * kWeight;
    this.#outbox.finish(slot, code, value);
  }

  // Telling

  #tell(): void {
    if (!this.#outbox.hasNews) return;
    this.#outbox.tell();
    this.#toldAt = this.#now;
  }

  /** Tells after all that settles now has settled: a tick runs behind the microtasks. */
  #tellSoon(): void {
    if (this.#tellScheduled || !this.#outbox.hasNews) return;
    this.#tellScheduled = true;
    nextTick(() => {
      this.#tellScheduled = false;
      this.#tell();
      if (!this.#portable) thisLoop.expect();
    });
  }

  #wakeOwner(): void {
    if (this.#portable) this.#control.kick();
    else wake(this.#owner);
  }

  // TaskHost

  askOf(slot: number): number {
    return AtomicsLoad(this.#channel.cells, this.#channel.askAt(slot));
  }

  watch(context: WorkerTaskContext): void {
    this.#watching.add(context);
  }

  unwatch(context: WorkerTaskContext): void {
    this.#watching.delete(context);
  }

  #lookAtAsks(): void {
    const asks = AtomicsLoad(this.#channel.cells, kAsks);
    if (asks === this.#seenAsks) return;
    this.#seenAsks = asks;
    this.#watching.forEach((context) => context.look());
  }

  began(): void {
    this.#background.began();
  }

  ended(): void {
    this.#background.ended();
  }

  failed(error: unknown): void {
    this.#background.failed(error);
  }

  #reportBackground(error: unknown): void {
    try {
      this.#send({ type: 'backgroundError', failure: toWire(error) });
    } catch {
      const { message } = uncloneable('Background work rejected with', error);
      this.#send({ type: 'backgroundError', failure: toWire(new Error(message)) });
    }
  }

  // Ending

  /** Lets the thread end when nothing else of it is alive. */
  #letGo(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#portable) this.#closePorts();
    else thisLoop.release();
  }
}

/** Where the optional package is not installed, or the system refuses, the priority stays. */
async function lowerPriority(increment: number): Promise<void> {
  try {
    const name: string = '@napi-rs/nice';
    const { nice } = (await import(name)) as { nice: (increment: number) => number };
    nice(increment);
  } catch {
    // As niceIncrement is documented: without effect, and not fatal.
  }
}

/** Why a handler could not be loaded, as it crosses. */
function failureToWire(error: unknown): WireFailure {
  if (!(error instanceof HandlerNotFound)) return toWire(error);
  return [kRefused, { code: error.code, message: error.message } satisfies WireError];
}
