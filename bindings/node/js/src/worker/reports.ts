// What the worker tells its owner of itself: that it is ready, what failed, that it is done.
//
// What user code threw may be anything; if it cannot be cloned a message about it goes instead.

import { toWire } from '../wire/errors/decoder.js';
import { kRefused, type ToOwner, type WireError, type WireFailure } from '../wire/messages.js';
import type { LoopAddress } from '../wait/loop.js';
import { HandlerNotFound } from './not-found.js';
import { uncloneable } from './outbox.js';

export class Reports {
  readonly #send: (message: ToOwner) => void;

  /** `send` throws if the message cannot be cloned. */
  constructor(send: (message: ToOwner) => void) {
    this.#send = send;
  }

  /** From now on the worker takes tasks. `failure`: what kept the pool's handler from loading. */
  ready(address: LoopAddress, failure: { readonly error: unknown } | null): void {
    this.#send({ type: 'ready', address, failed: failure !== null });
    if (failure === null) return;
    try {
      this.#send({ type: 'failure', failure: failureToWire(failure.error) });
    } catch {
      const refusal = uncloneable('The file threw', failure.error);
      this.#send({ type: 'failure', failure: [kRefused, refusal] });
    }
  }

  /** Registered work rejected, or a teardown did (`registered` is false then). */
  backgroundError(error: unknown, registered: boolean): void {
    try {
      this.#send({ type: 'backgroundError', failure: toWire(error), registered });
    } catch {
      const { message } = uncloneable('Background work rejected with', error);
      const failure = toWire(new Error(message));
      this.#send({ type: 'backgroundError', failure, registered });
    }
  }

  /** The registered work is done, after the owner has asked for the end. */
  closed(): void {
    this.#send({ type: 'closed' });
  }
}

/** Why a handler could not be loaded, as it crosses. */
export function failureToWire(error: unknown): WireFailure {
  if (!(error instanceof HandlerNotFound)) return toWire(error);
  return [kRefused, { code: error.code, message: error.message } satisfies WireError];
}
