// The handlers that this worker knows, by the numbers that the owner gives them.
//
// A handler is loaded when its definition arrives. One that could not be loaded is tried again once
// its file has changed, or a while has passed, when a task asks for it.

import { bareList, PromiseThen } from '../base/intrinsics.js';
import { Prospects } from '../wire/carrier.js';
import type { HandlerMessage } from '../wire/messages.js';
import { withCarried } from './carried.js';
import { LoadFailure, type HandlerLoader } from './handler-loader.js';
import type { Handler } from './task-context.js';

/** Weight of the newest run in the moving average. */
const kWeight = 1 / 8;

export class HandlerEntry {
  /** A function, or why there is none; null while it is loading. */
  handler: Handler | LoadFailure | null = null;
  /** Moving average of its run time in ms; Infinity until it has run. */
  averageMs = Infinity;
  /** Of its results. */
  readonly prospects = new Prospects();

  /** `carries`: what its tasks come with beside the payload, as bits. */
  constructor(readonly carries: number) {}

  measure(runMs: number): void {
    this.averageMs =
      this.averageMs === Infinity ? runMs : this.averageMs + (runMs - this.averageMs) * kWeight;
  }
}

export class HandlerTable {
  readonly #loader: HandlerLoader;
  readonly #onLoaded: () => void;
  readonly #entries: (HandlerEntry | undefined)[] = bareList();

  /** `onLoaded` is called when a handler that tasks may wait for is there, or has failed. */
  constructor(loader: HandlerLoader, onLoaded: () => void) {
    this.#loader = loader;
    this.#onLoaded = onLoaded;
  }

  /** Resolves once it is loaded or has failed. */
  define({ index, url, exportName, carries }: HandlerMessage): Promise<void> {
    const entry = new HandlerEntry(carries);
    this.#entries[index] = entry;
    return this.#load(entry, url, exportName);
  }

  /** The entry of a handler, if its definition has arrived. */
  get(index: number): HandlerEntry | undefined {
    const entry = this.#entries[index];
    if (entry?.handler instanceof LoadFailure && entry.handler.isStale) {
      void this.#load(entry, entry.handler.url, entry.handler.exportName);
    }
    return entry;
  }

  #load(entry: HandlerEntry, url: string, exportName: string): Promise<void> {
    entry.handler = null;
    // It never rejects.
    return PromiseThen(this.#loader.load(url, exportName), (handler) => {
      const isWrapped = entry.carries !== 0 && typeof handler === 'function';
      entry.handler = isWrapped ? withCarried(handler, entry.carries, `"${exportName}"`) : handler;
      this.#onLoaded();
    });
  }
}
