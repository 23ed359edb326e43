// `pool.map()`: a task for each item of an iterable, with a bound on the items between the source
// and whoever reads the results.
//
// Guarantees: at most `concurrency` items have left the source and not reached the reader, so
// memory is bounded however long the source is; the source is asked only when there is a place;
// once the reader stops (an early `break`, an error), it is asked to end, no more tasks are made,
// and those that have not begun are taken back. Items are pulled one after the other, also from an
// async source, while the tasks of earlier ones run; an item that is a promise is awaited, as
// `for await` does it.
//
// A task waits for room where other callers fill the pool.

import {
  checkCount,
  isAbortSignal,
  isIterable,
  isNoOptions,
  refuseUnknown,
  wrongOptions,
} from './arguments.js';
import {
  append,
  bareList,
  MathMax,
  ObjectAssign,
  SafePromise,
  SafeSet,
} from './base/intrinsics.js';
import { AbortError, invalidType } from './errors.js';
import { kNames, type ResolvedOptions } from './options.js';
import { appendCallers } from './owner/caller-stack.js';
import type { Source } from './owner/task-port.js';
import type { Call } from './owner/waiting-line.js';
import { readSwitch } from './renewal-options.js';
import type { RunOptions } from './run-options.js';
import { isPromiseLike } from './worker/task-context.js';

/** The options of `pool.map()`. */
export interface MapOptions extends Omit<
  RunOptions,
  'transferList' | 'whenFull' | 'coalesce' | 'onProgress' | 'input' | 'offload'
> {
  /**
   * The most items between the source and the reader of the results: they wait, run, or have ended
   * and not been read. @default 4 for each task that the pool can run at once, at least 16
   */
  readonly concurrency?: number;
  /**
   * Whether results come in the order of their items; else as they end, so that a slow item holds
   * up no other. @default true
   */
  readonly ordered?: boolean;
  /**
   * Whether the first error ends the iteration, which throws it. If not, each result is a
   * {@link MapOutcome}, as of `Promise.allSettled`. @default true
   */
  readonly stopOnError?: boolean;
}

/** How `pool.map()` ends a task whose error does not end the iteration. */
export type MapOutcome<R> =
  | { readonly status: 'fulfilled'; readonly index: number; readonly value: R }
  | { readonly status: 'rejected'; readonly index: number; readonly reason: unknown };

/** What an iteration needs to know. */
interface MapSettings {
  readonly concurrency: number;
  readonly ordered: boolean;
  readonly stopOnError: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Begins the task of an item. May throw what keeps it from being made. */
type BeginItem = (
  item: unknown,
  resolve: (value: unknown) => void,
  fail: (error: unknown, where: string) => void,
) => Call;

/** An item that has left its source. */
interface Item {
  readonly index: number;
  isSettled: boolean;
  failed: boolean;
  outcome: unknown;
  /** What its handler threw in; empty: it did not. */
  where: string;
  call: Call | null;
}

class Iteration {
  readonly #begin: BeginItem;
  readonly #withdraw: (call: Call) => void;
  readonly #settings: MapSettings;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #isAsync: boolean;
  /** Items that have not reached the reader: in their order, or those that have settled. */
  #items: Item[] = bareList();
  #head = 0;
  /** Items whose tasks have not settled, where results come in any order. */
  readonly #running = new SafeSet<Item>();
  #pulled = 0;
  #isPulling = false;
  #isExhausted = false;
  #sourceFailed = false;
  #sourceError: unknown = undefined;
  #wake: (() => void) | null = null;

  constructor(
    begin: BeginItem,
    withdraw: (call: Call) => void,
    source: Source,
    settings: MapSettings,
  ) {
    this.#begin = begin;
    this.#withdraw = withdraw;
    this.#settings = settings;
    const async = (source as AsyncIterable<unknown>)[Symbol.asyncIterator];
    this.#isAsync = async !== undefined;
    this.#source =
      async === undefined
        ? (source as Iterable<unknown>)[Symbol.iterator]()
        : async.call(source as AsyncIterable<unknown>);
  }

  /** The next item whose result is due; null at the end. Throws what the source threw. */
  async next(): Promise<Item | null> {
    for (;;) {
      this.#fill();
      const { signal } = this.#settings;
      if (signal?.aborted === true) throw new AbortError(signal.reason);
      const item = this.#items[this.#head];
      if (item !== undefined && item.isSettled) {
        this.#shift();
        return item;
      }
      if (this.#isExhausted && item === undefined && this.#running.size === 0) {
        if (this.#sourceFailed) throw this.#sourceError;
        return null;
      }
      await new SafePromise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /**
   * The reader stops: what the source has left is not wanted, nor what has not begun. The source is
   * waited for only if it has been asked for nothing: one that waits for its next item may do so
   * for ever.
   */
  async end(): Promise<void> {
    const isExhausted = this.#isExhausted;
    this.#isExhausted = true;
    this.#takeBack();
    if (isExhausted) return;
    if (!this.#isPulling) {
      await this.#source.return?.();
      return;
    }
    const leave = async (): Promise<void> => {
      try {
        await this.#source.return?.();
      } catch {
        // The reader has left.
      }
    };
    void leave();
  }

  #takeBack(): void {
    const takeBack = ({ call, isSettled }: Item): void => {
      if (call !== null && !isSettled) this.#withdraw(call);
    };
    // The last first: none of them is to begin meanwhile in the place of one that was taken back.
    for (let i = this.#items.length - 1; i >= this.#head; i--) takeBack(this.#items[i]!);
    const running: Item[] = bareList();
    this.#running.forEach((item) => append(running, item));
    for (let i = running.length - 1; i >= 0; i--) takeBack(running[i]!);
  }

  get #between(): number {
    return this.#items.length - this.#head + this.#running.size;
  }

  #fill(): void {
    const { concurrency } = this.#settings;
    while (!this.#isExhausted && !this.#isPulling && this.#between < concurrency) {
      if (this.#isAsync) {
        this.#pull(() => (this.#source as AsyncIterator<unknown>).next());
        return;
      }
      try {
        const next = (this.#source as Iterator<unknown>).next();
        if (next.done !== true && isPromiseLike(next.value)) {
          const { value } = next;
          this.#pull(async () => ({ done: false, value: await value }));
          return;
        }
        this.#take(next);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #pull(next: () => Promise<IteratorResult<unknown>>): void {
    this.#isPulling = true;
    const pull = async (): Promise<void> => {
      try {
        this.#take(await next());
      } catch (error) {
        this.#failed(error);
      }
      this.#isPulling = false;
      this.#fill();
      this.#tell();
    };
    void pull();
  }

  #take({ done, value }: IteratorResult<unknown>): void {
    // The reader may have stopped meanwhile.
    if (this.#isExhausted) return;
    if (done === true) {
      this.#isExhausted = true;
      return;
    }
    const item: Item = {
      index: this.#pulled++,
      isSettled: false,
      failed: false,
      outcome: undefined,
      where: '',
      call: null,
    };
    const { ordered } = this.#settings;
    if (ordered) append(this.#items, item);
    else this.#running.add(item);
    const settle = (failed: boolean, outcome: unknown, where: string): void => {
      if (item.isSettled) return;
      item.isSettled = true;
      item.failed = failed;
      item.outcome = outcome;
      item.where = where;
      item.call = null;
      if (!ordered) {
        this.#running.delete(item);
        append(this.#items, item);
      }
      if (!ordered || this.#items[this.#head] === item) this.#tell();
    };
    const fail = (error: unknown, where: string): void => settle(true, error, where);
    try {
      item.call = this.#begin(value, (result) => settle(false, result, ''), fail);
    } catch (error) {
      fail(error, '');
    }
  }

  /** The source threw: what it gave before is still run and read. */
  #failed(error: unknown): void {
    this.#isExhausted = true;
    this.#sourceFailed = true;
    this.#sourceError = error;
  }

  #shift(): void {
    this.#items[this.#head++] = undefined as never;
    // The places that were read are given back when they are half of the list.
    if (this.#head < MathMax(32, this.#items.length / 2)) return;
    const rest: Item[] = bareList();
    for (let i = this.#head; i < this.#items.length; i++) rest[rest.length] = this.#items[i]!;
    this.#items = rest;
    this.#head = 0;
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** The signal was aborted. */
  readonly onAbort = (): void => this.#tell();
}

/** What an iteration is given to work with. */
interface MapHost {
  readonly begin: BeginItem;
  /** Takes a task back, unless it has begun. */
  readonly withdraw: (call: Call) => void;
  /** Listens on the signal, and returns what undoes that. */
  readonly watch: (onAbort: () => void) => () => void;
}

/** Results of a task for each item. */
export async function* mapItems(
  { begin, withdraw, watch }: MapHost,
  source: Source,
  settings: MapSettings,
): AsyncGenerator<unknown, void, undefined> {
  const iteration = new Iteration(begin, withdraw, source, settings);
  const unwatch = watch(iteration.onAbort);
  try {
    for (;;) {
      const item = await iteration.next();
      if (item === null) return;
      const { index, failed, outcome, where } = item;
      // Its stack goes on with whoever reads the results.
      if (failed) appendCallers(outcome, where, mapItems);
      if (!settings.stopOnError) {
        yield failed
          ? ({ status: 'rejected', index, reason: outcome } satisfies MapOutcome<unknown>)
          : ({ status: 'fulfilled', index, value: outcome } satisfies MapOutcome<unknown>);
      } else if (failed) {
        throw outcome;
      } else {
        yield outcome;
      }
    }
  } finally {
    unwatch();
    await iteration.end();
  }
}

/** The options of `map()`. */
const kMapNames: readonly string[] = [
  'filename',
  'name',
  'concurrency',
  'ordered',
  'stopOnError',
  'signal',
  'queueTimeout',
  'timeout',
  'context',
  'priority',
  'group',
  'key',
  'retry',
  'idempotent',
];

/** What `pool.map()` was told, and the options of each of its tasks. */
export function readMapOptions(
  source: unknown,
  input: unknown,
  { maxThreads, concurrentTasksPerWorker }: ResolvedOptions,
): { settings: MapSettings; runOptions: RunOptions } {
  if (!isIterable(source)) throw invalidType('source', 'an iterable or an async iterable', source);
  if (isNoOptions(input)) throw wrongOptions(input, 'map()');
  const given = ObjectAssign({ __proto__: null } as never as Record<string, unknown>, input);
  refuseUnknown(given, kMapNames, { names: kNames, call: 'new Pool()' });
  const { concurrency, ordered, stopOnError, signal } = given;
  if (signal !== undefined && !isAbortSignal(signal))
    throw invalidType('options.signal', 'an AbortSignal', signal);
  const settings = {
    concurrency: checkCount(
      concurrency ?? MathMax(16, 4 * maxThreads * concurrentTasksPerWorker),
      'options.concurrency',
      1,
    ),
    ordered: readSwitch(ordered, 'options.ordered', true),
    stopOnError: readSwitch(stopOnError, 'options.stopOnError', true),
    signal,
  };
  delete given['concurrency'];
  delete given['ordered'];
  delete given['stopOnError'];
  given['whenFull'] = 'wait';
  return { settings, runOptions: given };
}
