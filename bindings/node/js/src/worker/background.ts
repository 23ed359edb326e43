// What a worker's tasks leave running: it is counted, reported, and waited for at the end.
//
// Guarantee: once the worker is asked to end, its files are torn down when the last registered work
// is done, and each of them once.

import { AtomicsAdd, AtomicsStore, PromiseThen } from '../base/intrinsics.js';
import { kBackgroundActive, kBackgroundCompleted, type Channel } from '../wire/channel.js';
import type { HandlerLoader } from './handler-loader.js';
import type { Reports } from './reports.js';

export class Background {
  readonly #cells: Int32Array;
  readonly #loader: HandlerLoader;
  readonly #reports: Reports;
  #active = 0;
  /** What is to be done once the registered work is. */
  #ending: (() => void) | null = null;
  #tornDown: Promise<void> | null = null;

  constructor(channel: Channel, loader: HandlerLoader, reports: Reports) {
    this.#cells = channel.cells;
    this.#loader = loader;
    this.#reports = reports;
  }

  /** Work was registered. */
  began(): void {
    AtomicsStore(this.#cells, kBackgroundActive, ++this.#active);
    this.changed();
  }

  /** The counts in the channel are others now. For an owner who does not see it. */
  protected changed(): void {}

  /** Registered work has ended well. */
  ended(): void {
    this.#leave();
    AtomicsAdd(this.#cells, kBackgroundCompleted, 1);
    this.changed();
    this.#endIfDone();
  }

  /** Registered work was rejected. The owner counts what it is told. */
  failed(error: unknown): void {
    this.#leave();
    this.changed();
    this.#reports.backgroundError(error, true);
    this.#endIfDone();
  }

  /** Before it counts as anything else: the owner never sees the same work twice. */
  #leave(): void {
    AtomicsStore(this.#cells, kBackgroundActive, --this.#active);
  }

  /** Once the registered work is done: tears down, and does what comes last. */
  endWith(last: () => void): void {
    this.#ending = last;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#ending === null || this.#active > 0) return;
    const last = this.#ending;
    this.#ending = null;
    if (this.#tornDown === null && this.#loader.hasTeardown) {
      this.#tornDown = PromiseThen(this.#loader.teardown(), null, (error) =>
        this.#reports.backgroundError(error, false),
      );
    }
    if (this.#tornDown === null) last();
    else void PromiseThen(this.#tornDown, last);
  }
}
