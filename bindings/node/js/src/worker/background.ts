// What a worker's tasks leave running: it is counted, reported, and waited for at the end.
//
// Guarantee: once the worker is asked to end, its files are torn down when the last registered work
// is done, and each of them once.

import { AtomicsAdd, AtomicsStore, PromiseThen } from '../base/intrinsics.js';
import {
  kBackgroundActive,
  kBackgroundRejected,
  kBackgroundSettled,
  type Channel,
} from '../wire/channel.js';
import type { HandlerLoader } from './handler-loader.js';

export class Background {
  readonly #cells: Int32Array;
  readonly #loader: HandlerLoader;
  readonly #report: (error: unknown) => void;
  #active = 0;
  /** What is to be done once the registered work is. */
  #ending: (() => void) | null = null;
  #tornDown: Promise<void> | null = null;

  /** `report` tells the owner of an error. It must not throw. */
  constructor(channel: Channel, loader: HandlerLoader, report: (error: unknown) => void) {
    this.#cells = channel.cells;
    this.#loader = loader;
    this.#report = report;
  }

  /** Work was registered. */
  began(): void {
    AtomicsStore(this.#cells, kBackgroundActive, ++this.#active);
  }

  /** Registered work is done. */
  ended(): void {
    AtomicsAdd(this.#cells, kBackgroundSettled, 1);
    AtomicsStore(this.#cells, kBackgroundActive, --this.#active);
    this.#endIfDone();
  }

  /** Registered work was rejected. */
  failed(error: unknown): void {
    AtomicsAdd(this.#cells, kBackgroundRejected, 1);
    this.#report(error);
    this.ended();
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
      this.#tornDown = PromiseThen(this.#loader.teardown(), null, this.#report);
    }
    if (this.#tornDown === null) last();
    else void PromiseThen(this.#tornDown, last);
  }
}
