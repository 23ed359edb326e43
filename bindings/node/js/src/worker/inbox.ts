// The tasks that the owner has posted, in order.
//
// Guarantee: a task that the owner took back is never claimed; its value is dropped, and its slot
// given back, when its entry is next. The states are in `wire/channel.ts`.

import { AtomicsCompareExchange, AtomicsLoad, AtomicsStore } from '../base/intrinsics.js';
import type { ValueCarrier } from '../wire/carrier.js';
import { kClaimed, kFree, kPosted, kRevoked, RingReader, type Channel } from '../wire/channel.js';

export class Inbox {
  readonly #channel: Channel;
  readonly #carrier: ValueCarrier;
  readonly #ring: RingReader;
  /** Slots were given back, which the owner may wait for. Whoever tells it resets this. */
  gaveBack = false;

  constructor(channel: Channel, carrier: ValueCarrier) {
    this.#channel = channel;
    this.#carrier = carrier;
    this.#ring = new RingReader(channel.tasks);
  }

  /** The slot of the next task, -1 if there is none, or none whose value is here. */
  peek(): number {
    const { cells } = this.#channel;
    for (;;) {
      const slot = this.#ring.peek();
      if (slot < 0) return -1;
      if (AtomicsLoad(cells, this.#channel.stateAt(slot)) !== kRevoked) {
        return this.#carrier.isHere(slot) ? slot : -1;
      }
      this.#giveBack(slot);
    }
  }

  /** Claims the task that {@link peek} gave; `false` if the owner has taken it back meanwhile. */
  claim(slot: number): boolean {
    const at = this.#channel.stateAt(slot);
    if (AtomicsCompareExchange(this.#channel.cells, at, kPosted, kClaimed) !== kPosted) {
      this.#giveBack(slot);
      return false;
    }
    this.#ring.advance();
    // What the slot's last result took is the next one's.
    this.#carrier.free(slot);
    return true;
  }

  /** The value of a task that was just claimed, or an `UnreadableValue`. */
  take(slot: number): unknown {
    return this.#carrier.receive(slot);
  }

  #giveBack(slot: number): void {
    this.#carrier.discard(slot);
    this.#ring.advance();
    AtomicsStore(this.#channel.cells, this.#channel.stateAt(slot), kFree);
    this.gaveBack = true;
  }
}
