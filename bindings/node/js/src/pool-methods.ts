// What callers do with a pool beside `run()`: the same for `Pool` and for `cenote/piscina`.
//
// The documentation of each is at the method of the class that users see.

import type { Duplex } from 'node:stream';
import { AbortError } from './errors.js';
import { execFunction } from './exec.js';
import type { Front } from './front.js';
import { Lanes, type Lane } from './lane.js';
import { asDuplex, asTransform, type MapTransform } from './map-streams.js';
import { mapItems, readMapOptions, type MapOptions } from './map.js';
import { adviceOf, type Advice } from './offloading.js';
import type { ResolvedOptions } from './options.js';
import { onAbort } from './owner/abort-watch.js';
import type { Dispatcher } from './owner/dispatcher.js';
import type { HandlerTable } from './owner/handlers.js';
import { resized } from './renewal-options.js';
import { takeStats, type PoolStats } from './stats.js';
import { runSync } from './sync.js';
import { tasksOf, type Untyped } from './tasks.js';

type Parts = AsyncGenerator<unknown, void, undefined>;
type Items = Iterable<unknown> | AsyncIterable<unknown>;

export class PoolMethods {
  readonly front: Front;
  readonly lanes: Lanes;
  readonly #handlers: HandlerTable;
  readonly #dispatcher: Dispatcher;
  #options: ResolvedOptions;
  #tasks: Untyped['tasks'] | null = null;

  constructor(front: Front, handlers: HandlerTable, dispatcher: Dispatcher) {
    this.front = front;
    this.#options = front.defaults;
    this.#handlers = handlers;
    this.#dispatcher = dispatcher;
    this.lanes = new Lanes(this.front);
  }

  /** The options in force. */
  get options(): ResolvedOptions {
    return this.#options;
  }

  run(task: unknown, options: unknown): Promise<unknown> {
    return this.front.run(task, options, this.front);
  }

  /** `below` is what the user called, for stacks. */
  runSync(task: unknown, options: unknown, below: (...args: never[]) => unknown): unknown {
    const given = options === undefined ? {} : options;
    const request = this.front.calls.read(given, this.#options, 'sync');
    return runSync(this.#dispatcher, this.front, request, task, below);
  }

  /** `below` is what the user called. */
  exec(
    fn: unknown,
    args: readonly unknown[],
    below: (...args: never[]) => unknown,
  ): Promise<unknown> {
    return execFunction((task, options) => this.run(task, options), fn, args, below);
  }

  map(source: Items, options: MapOptions): Parts {
    const { settings, runOptions } = readMapOptions(source, options, this.#options);
    const { front } = this;
    const request = front.calls.read(runOptions, this.#options);
    const { signal } = settings;
    return mapItems(
      {
        begin: (item, resolve, fail) => front.begin(request, item, resolve, fail),
        withdraw: (call) => front.withdraw(call, () => new AbortError(undefined)),
        watch: (stop) => (signal ? onAbort(signal, stop) : () => {}),
      },
      source,
      settings,
    );
  }

  transform(options: MapOptions): MapTransform<unknown, unknown> {
    return asTransform((source) => this.map(source, options));
  }

  duplex(options: MapOptions): Duplex {
    // What is wrong with the options is said now, and not when the first item comes.
    readMapOptions([], options, this.#options);
    return asDuplex((source) => this.map(source, options));
  }

  lane(name: unknown, options: unknown): Lane {
    return this.lanes.get(name, options);
  }

  get tasks(): Untyped['tasks'] {
    return (this.#tasks ??= tasksOf((task, options) => this.run(task, options)));
  }

  advise(): Advice[] {
    return adviceOf(this.#handlers);
  }

  resize(sizes: unknown): void {
    this.#options = resized(this.#options, sizes);
    const { minThreads, maxThreads } = this.#options;
    this.#dispatcher.renewal.resize(minThreads, maxThreads);
  }

  async restart(): Promise<void> {
    await this.#dispatcher.renewal.restart();
  }

  cancelPending(reason: unknown): number {
    const error = (): unknown => new AbortError(reason);
    const { outcomes } = this.#dispatcher;
    const before = outcomes.cancelled;
    const inFront = this.lanes.cancel(error) + this.front.cancel(error);
    this.#dispatcher.rejectWaiting(error);
    return inFront + outcomes.cancelled - before;
  }

  stats(): PoolStats {
    return takeStats(this.#dispatcher, this.lanes.stats());
  }

  /** The pool ends: sends away those who wait in front of it. */
  end(error: () => unknown): void {
    this.lanes.end(error);
    this.front.end(error);
  }
}
