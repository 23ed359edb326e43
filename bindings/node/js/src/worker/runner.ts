// Runs tasks in a worker: claims them, calls their handlers, posts results.
//
// Guarantees: a task runs only if its claim succeeded, so one that the owner took back never does;
// at most `concurrency` are begun and unsettled; after `turnBudget` of tasks in a row, synchronous
// or not, the loop gets a turn (P1); results are posted in batches, and while tasks run none waits for
// longer than kFlushMs and the task that then runs; a result that cannot be cloned fails alone; what
// a task wrote to stdout and stderr is with the owner before its result is, if that takes it at all.
//
// The clock is read once a task: its end is the start of the next.

import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { BatchGuard } from '../wire/batch-guard.js';
import { describe } from '../errors.js';
import { HandlerLoader, HandlerNotFound } from './handler-loader.js';
import { thisLoop, wake, type LoopAddress, type LoopSource } from '../wait/loop.js';
import {
  clockOrigin,
  kRefused,
  kReturned,
  kTaskBatchHeader,
  kThrew,
  type HandlerMessage,
  type Init,
  type ResultBatch,
  type TaskBatch,
  type ToOwner,
  type ToWorker,
  type WireError,
} from '../wire/messages.js';
import { isMovable, unwrapMovable, type Movable } from '../wire/move.js';
import { loadNative, whyPortable } from '../wait/native.js';
import { isPromiseLike, WorkerTaskContext, type Handler, type TaskHost } from './task-context.js';
import { afterOutput, hasOutput } from './output.js';
import { toWire } from '../wire/errors/decoder.js';
import {
  kAskBegun,
  kAskNothing,
  kAsks,
  kBackgroundActive,
  kBackgroundRejected,
  kBackgroundSettled,
  kClaim,
  kResults,
  kTimingRun,
  kTimings,
  kTimingStart,
  kTimingWake,
} from '../wire/channel.js';

/** The longest that a result waits for others while tasks run, in ms. */
const kFlushMs = 0.05;

/** An owner that takes no output for so long, in ms, has nobody to give it to: results go without it. */
const kOutputMs = 3_000;

/** Why a handler could not be loaded. */
class LoadFailure {
  constructor(readonly error: unknown) {}
}

export class Runner implements LoopSource, TaskHost {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  readonly #timings: Float64Array;
  readonly #asks: Int32Array;
  readonly #owner: LoopAddress;
  readonly #portable: boolean;
  readonly #concurrency: number;
  readonly #bare: boolean;
  readonly #niceIncrement: number;
  readonly #loader: HandlerLoader;
  /** Contexts whose signal somebody has. */
  readonly #watching = new Set<WorkerTaskContext>();
  #seenAsks = 0;
  readonly #guard = new BatchGuard();
  /** By index: a function, why there is none, or the loading that puts either here. */
  readonly #handlers: (Handler | LoadFailure | Promise<void>)[] = [];
  /** What to add to this thread's clock to get the owner's. */
  readonly #clockShift: number;
  readonly #turnBudgetMs: number;
  /** Task batches that were received; the first is being worked on. */
  readonly #batches: TaskBatch[] = [];
  #cursor = kTaskBatchHeader;
  #results: ResultBatch = [];
  /** What adds the results of tasks whose output is not with the owner yet. */
  readonly #held = new Set<() => void>();
  #outputStalled = false;
  #running = 0;
  /** The clock when it was last read, when results were last posted, and when the turn is over. */
  #now = 0;
  #flushedAt = 0;
  #turnEndsAt = 0;
  #wakeMs = 0;
  #pumping = false;
  #flushScheduled = false;
  #turnScheduled = false;
  #background = 0;
  /** What is to be done once the registered background work is. */
  #ending: (() => void) | null = null;
  #released = false;
  #tornDown: Promise<void> | null = null;

  constructor(init: Init) {
    this.maxSpinUs = init.maxSpinUs;
    this.turnBudgetUs = init.turnBudgetUs;
    this.#turnBudgetMs = init.turnBudgetUs / 1000;
    this.#port = init.port;
    this.#words = init.words;
    this.#timings = init.timings;
    this.#asks = init.asks;
    this.#owner = init.owner;
    this.#portable = init.portable;
    this.#concurrency = init.concurrency;
    this.#bare = init.bare;
    this.#niceIncrement = init.niceIncrement;
    this.#loader = new HandlerLoader(init.bare);
    this.#clockShift = clockOrigin() - init.ownerOrigin;
  }

  /** Loads the pool's handler, if there is one, and begins to take tasks. */
  async start(preload: HandlerMessage | null): Promise<void> {
    if (this.#niceIncrement !== 0) await lowerPriority(this.#niceIncrement);
    if (preload !== null) {
      this.#define(preload);
      await this.#handlers[preload.index];
    }
    const loaded = preload === null ? undefined : this.#handlers[preload.index];
    if (this.#portable) {
      this.#port.on('message', (message: ToWorker) => this.#onPortMessage(message));
    } else {
      // The owner rings, and only an addon hears it: without one this worker must not seem ready.
      if (loadNative() === null)
        throw new Error(`A worker of a native pool needs the addon: ${whyPortable()}`);
      thisLoop.attach(this);
      thisLoop.hold();
    }
    process.on('exit', () => {
      for (const answer of this.#held) answer();
      this.#flush();
    });
    this.#sendReady(loaded instanceof LoadFailure ? loaded : null);
    // What came before this line moved no epoch that this loop would notice.
    thisLoop.again();
  }

  #sendReady(failure: LoadFailure | null): void {
    const { address } = thisLoop;
    try {
      this.#send({
        type: 'ready',
        address,
        failure: failure === null ? null : failureToWire(failure.error),
      });
    } catch {
      this.#send({
        type: 'ready',
        address,
        failure: [kRefused, uncloneable('The file threw', failure?.error)],
      });
    }
  }

  // LoopSource

  expectedUs(): number {
    return 0;
  }

  drain(): void {
    // It calls listeners of handlers, whose time is not the next task's.
    this.#lookAtAsks();
    this.#now = performance.now();
    this.#turnEndsAt = this.#now + thisLoop.turnLeftMs;
    this.#pump();
    this.#flush();
    // The end of a drain is when the next task is likely: this lets the loop spin for it.
    thisLoop.expect();
  }

  // Receiving

  #onPortMessage(message: ToWorker): void {
    this.#now = performance.now();
    if (Array.isArray(message)) this.#noteWake(message);
    this.#accept(message);
    this.#pump();
    this.#flush();
  }

  #accept(message: ToWorker): void {
    if (Array.isArray(message)) {
      this.#batches.push(message);
      return;
    }
    switch (message.type) {
      case 'handler':
        this.#define(message);
        return;
      case 'close':
        this.#endWith(() => this.#send({ type: 'closed' }));
        return;
      case 'retire':
        this.#endWith(() => this.#letGo());
        return;
      case 'asked':
        this.#lookAtAsks();
        return;
    }
  }

  /** Makes the next entry current: from the batches that are here, else from the port. */
  #advance(): boolean {
    for (;;) {
      const batch = this.#batches[0];
      if (batch !== undefined) {
        if (this.#cursor < batch.length) return true;
        this.#batches.shift();
        this.#cursor = kTaskBatchHeader;
        continue;
      }
      if (this.#portable) return false;
      const received = receiveMessageOnPort(this.#port) as { message: ToWorker } | undefined;
      if (received === undefined) return false;
      this.#accept(received.message);
      const next: TaskBatch | undefined = this.#batches[0];
      if (next !== undefined) this.#noteWake(next);
    }
  }

  #noteWake(batch: TaskBatch): void {
    const postedAt = batch[1] as number;
    if (postedAt > 0)
      this.#wakeMs = Math.max(Number.MIN_VALUE, this.#now + this.#clockShift - postedAt);
  }

  #define({ index, url, exportName }: HandlerMessage): void {
    const loaded = (entry: Handler | LoadFailure): void => {
      this.#handlers[index] = entry;
      this.#now = performance.now();
      this.#pump();
      this.#flushSoon();
    };
    this.#handlers[index] = this.#loader
      .load(url, exportName)
      .then(loaded, (error: unknown) => loaded(new LoadFailure(error)));
  }

  // Running

  /** Runs tasks until there are none, the worker is full, or the turn is over. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#running < this.#concurrency && this.#advance()) {
      if (this.#now >= this.#turnEndsAt && !this.#takeTurn()) break;
      const batch = this.#batches[0]!;
      const at = this.#cursor;
      let index = batch[at + 1] as number;
      const mayExpire = index < 0;
      if (mayExpire) index = ~index;
      const handler = this.#handlers[index];
      // The end of the loading comes back here. Until then the task is not begun: should the worker
      // die of the loading, or another be free sooner, it is not lost.
      if (handler instanceof Promise && this.#isWanted(batch, at)) break;
      let slot = batch[at] as number;
      if (slot < 0) {
        // The end of their output comes back here as well.
        if (this.#held.size > 0) break;
        slot = ~slot;
        this.#flush();
      }
      this.#cursor = at + 3;
      // Before the claim, so that an owner who sees the claim sees this. If the claim fails the slot
      // may be another task's by now, but one that is not claimed.
      this.#timings[slot * kTimings + kTimingStart] = this.#now + this.#clockShift;
      if (!this.#claim(batch[0] as number)) continue;
      const payload = batch[at + 2];
      // The array may live on for a while; the payload need not.
      batch[at + 2] = undefined;
      this.#begin(slot, handler, payload, mayExpire);
      if (this.#now - this.#flushedAt >= kFlushMs) this.#flush();
    }
    this.#pumping = false;
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
      this.#now = performance.now();
      this.#pump();
      this.#flush();
    });
    return fresh;
  }

  /** Whether an entry is neither revoked nor asked to end: what is not wanted waits for no handler. */
  #isWanted(batch: TaskBatch, at: number): boolean {
    const slot = batch[at] as number;
    return (
      Atomics.load(this.#words, kClaim) >>> 16 === batch[0] &&
      this.askOf(slot < 0 ? ~slot : slot) === kAskNothing
    );
  }

  /** Claims the next task, unless it was posted in a generation that has been revoked. */
  #claim(generation: number): boolean {
    const words = this.#words;
    for (;;) {
      const word = Atomics.load(words, kClaim);
      if (word >>> 16 !== generation) return false;
      const next = (word & ~0xffff) | ((word + 1) & 0xffff);
      if (Atomics.compareExchange(words, kClaim, word, next) === word) return true;
    }
  }

  #begin(
    slot: number,
    handler: Handler | LoadFailure | Promise<void> | undefined,
    payload: unknown,
    mayExpire: boolean,
  ): void {
    this.#timings[slot * kTimings + kTimingWake] = this.#wakeMs;
    this.#wakeMs = 0;
    const startedAt = this.#now;
    if (mayExpire ? !this.#isLetBegin(slot) : this.askOf(slot) !== kAskNothing) {
      // Its caller has been told. It could not be taken back, but it need not run. The owner asks
      // before it looks at the claim, and here it is the other way round: one of the two sees the other.
      this.#finish(slot, kReturned, undefined, startedAt);
      return;
    }
    if (typeof handler !== 'function') {
      this.#refuse(slot, handler instanceof LoadFailure ? handler.error : undefined);
      return;
    }
    const context = this.#bare ? null : new WorkerTaskContext(this, slot);
    let value: unknown;
    try {
      value =
        context === null
          ? (handler as (task: unknown) => unknown)(payload)
          : handler(payload, context);
    } catch (error) {
      this.#now = performance.now();
      context?.end();
      this.#finish(slot, kThrew, error, startedAt);
      return;
    }
    this.#now = performance.now();
    if (isPromiseLike(value)) {
      this.#await(slot, value, context, startedAt);
      return;
    }
    context?.end();
    this.#finish(slot, kReturned, value, startedAt);
  }

  #await(
    slot: number,
    value: PromiseLike<unknown>,
    context: WorkerTaskContext | null,
    startedAt: number,
  ): void {
    this.#running++;
    const settle = (code: number, outcome: unknown): void => {
      context?.end();
      this.#settle(slot, code, outcome, startedAt);
    };
    // Through Promise.resolve, so that a `then` that throws or answers twice settles once.
    Promise.resolve(value).then(
      (result) => settle(kReturned, result),
      (error: unknown) => settle(kThrew, error),
    );
  }

  /** The answer to every task whose handler could not be loaded: why. */
  #refuse(slot: number, error: unknown): void {
    const [code, value] = failureToWire(error);
    this.#timings[slot * kTimings + kTimingRun] = 0;
    this.#results.push(slot, code, value);
  }

  /** An asynchronous task is done: post its result, and begin what waits for its place. */
  #settle(slot: number, code: number, value: unknown, startedAt: number): void {
    this.#running--;
    this.#now = performance.now();
    this.#finish(slot, code, value, startedAt);
    this.#pump();
    this.#flushSoon();
  }

  #finish(slot: number, code: number, value: unknown, startedAt: number): void {
    this.#timings[slot * kTimings + kTimingRun] = this.#now - startedAt;
    if (hasOutput()) this.#answerAfterOutput(slot, code, value);
    else this.#answer(slot, code, value);
  }

  #answerAfterOutput(slot: number, code: number, value: unknown): void {
    if (this.#outputStalled) {
      this.#answer(slot, code, value);
      return;
    }
    const answer = (): void => {
      if (!this.#held.delete(answer)) return;
      clearTimeout(timer);
      this.#answer(slot, code, value);
    };
    const answerNow = (stalled: boolean): void => {
      this.#outputStalled = stalled;
      answer();
      this.#now = performance.now();
      this.#pump();
      this.#flushSoon();
    };
    const timer = setTimeout(answerNow, kOutputMs, true);
    timer.unref();
    this.#held.add(answer);
    afterOutput(() => answerNow(false));
  }

  #answer(slot: number, code: number, value: unknown): void {
    if (code === kThrew) this.#results.push(slot, ...toWire(value));
    else if (isMovable(value)) this.#postMoved(slot, value);
    else this.#results.push(slot, code, value);
  }

  // Answering

  /** Posts the results that there are, in as few messages as may be. */
  #flush(): void {
    const results = this.#results;
    if (results.length === 0) return;
    this.#results = [];
    if (results.length === 3) this.#postAlone(results);
    else this.#postGuarded(results);
    this.#posted();
    this.#now = performance.now();
    this.#flushedAt = this.#now;
  }

  #postMoved(slot: number, movable: Movable): void {
    try {
      const { value, transferList } = unwrapMovable(movable);
      this.#port.postMessage([slot, kReturned, value], transferList);
    } catch (error) {
      this.#results.push(slot, ...toWire(error));
      return;
    }
    this.#posted();
  }

  #postGuarded(results: ResultBatch): void {
    this.#guard.reset();
    let from = 0;
    for (let i = 0; i < results.length; i += 3) {
      if (this.#guard.admits(results[i + 2])) continue;
      if (i > from) this.#postTogether(results.slice(from, i));
      this.#postAlone(results.slice(i, i + 3));
      this.#guard.reset();
      from = i + 3;
    }
    if (from < results.length) this.#postTogether(from === 0 ? results : results.slice(from));
  }

  #postTogether(results: ResultBatch): void {
    try {
      this.#port.postMessage(results);
    } catch {
      // One of them cannot be cloned, and nothing was sent: each alone finds out which.
      for (let i = 0; i < results.length; i += 3) this.#postAlone(results.slice(i, i + 3));
    }
  }

  /** Posts after all that settles now has settled: a tick runs behind the microtasks. */
  #flushSoon(): void {
    if (this.#flushScheduled || this.#results.length === 0) return;
    this.#flushScheduled = true;
    process.nextTick(() => {
      this.#flushScheduled = false;
      this.#flush();
      thisLoop.expect();
    });
  }

  #postAlone(result: ResultBatch): void {
    try {
      this.#port.postMessage(result);
    } catch (error) {
      const [slot, code, value] = result;
      // A result fails with what the clone said, or with what a getter threw, and that may be anything.
      if (code === kReturned) this.#postAlone([slot, ...toWire(error)]);
      // A thrown value has no such answer of its own.
      else this.#port.postMessage([slot, kRefused, uncloneable('The handler threw', value)]);
    }
  }

  #send(message: ToOwner): void {
    this.#port.postMessage(message);
    this.#posted();
  }

  #posted(): void {
    if (this.#portable) return;
    Atomics.add(this.#words, kResults, 1);
    wake(this.#owner);
  }

  // TaskHost

  askOf(slot: number): number {
    const ask = Atomics.load(this.#asks, slot);
    return ask === kAskBegun ? kAskNothing : ask;
  }

  /** Decides, once and for both sides, that a task begins whose wait is limited. */
  #isLetBegin(slot: number): boolean {
    return Atomics.compareExchange(this.#asks, slot, kAskNothing, kAskBegun) === kAskNothing;
  }

  watch(context: WorkerTaskContext): void {
    this.#watching.add(context);
  }

  unwatch(context: WorkerTaskContext): void {
    this.#watching.delete(context);
  }

  #lookAtAsks(): void {
    const asks = Atomics.load(this.#words, kAsks);
    if (asks === this.#seenAsks) return;
    this.#seenAsks = asks;
    for (const context of this.#watching) context.look();
  }

  began(): void {
    Atomics.store(this.#words, kBackgroundActive, ++this.#background);
  }

  ended(): void {
    Atomics.add(this.#words, kBackgroundSettled, 1);
    Atomics.store(this.#words, kBackgroundActive, --this.#background);
    this.#endIfDone();
  }

  failed(error: unknown): void {
    Atomics.add(this.#words, kBackgroundRejected, 1);
    this.#reportBackground(error);
    this.ended();
  }

  #reportBackground(error: unknown): void {
    try {
      const [code, value] = toWire(error);
      this.#send({ type: 'backgroundError', code, value });
    } catch {
      const { message } = uncloneable('Background work rejected with', error);
      const [code, value] = toWire(new Error(message));
      this.#send({ type: 'backgroundError', code, value });
    }
  }

  // Ending

  /** Once the registered background work is done: tears down, and does what comes last. */
  #endWith(last: () => void): void {
    this.#ending = last;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#ending === null || this.#background > 0) return;
    const last = this.#ending;
    this.#ending = null;
    this.#tornDown ??= this.#loader.hasTeardown
      ? this.#loader.teardown().catch((error: unknown) => this.#reportBackground(error))
      : null;
    if (this.#tornDown === null) last();
    else void this.#tornDown.then(last);
  }

  /** Lets the thread end when nothing else of it is alive. */
  #letGo(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#portable) this.#port.unref();
    else thisLoop.release();
  }
}

/** Where the optional package that can do it is not installed, or the system refuses, the priority stays. */
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
function failureToWire(error: unknown): [code: number, value: unknown] {
  if (!(error instanceof HandlerNotFound)) return toWire(error);
  return [kRefused, { code: error.code, message: error.message } satisfies WireError];
}

function uncloneable(what: string, value: unknown): WireError {
  return {
    code: 'ERR_CENOTE_UNCLONEABLE_ERROR',
    message: `${what} a value that cannot be cloned: ${describe(value)}`,
  };
}
