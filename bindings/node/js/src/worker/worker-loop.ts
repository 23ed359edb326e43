// A worker's place in its event loop, and its conversation with the owner.
//
// Puts together what a worker consists of: the channel's two sides, the runner, the handlers, the
// background work. The loop's wait calls `drain` when the owner has published something; where
// threads cannot ring each other, messages are events.

import { AtomicsLoad, AtomicsStore, now } from '../base/intrinsics.js';
import { thisLoop, wake, type LoopSource } from '../wait/loop.js';
import { loadNative, whyPortable } from '../wait/native.js';
import { Carrier } from '../wire/carrier.js';
import {
  Channel,
  kClaimed,
  kControlsToOwner,
  kControlsToWorker,
  kEnded,
  kOwnerKicked,
  kWorkerKicked,
} from '../wire/channel.js';
import { ControlPort } from '../wire/control-port.js';
import { clockOrigin, type Init, type ToOwner, type ToWorker } from '../wire/messages.js';
import { UnreadableValue, ValuePort } from '../wire/value-port.js';
import { Asks } from './asks.js';
import { Background } from './background.js';
import { HandlerLoader, LoadFailure } from './handler-loader.js';
import { HandlerTable, type HandlerEntry } from './handler-table.js';
import { HeapWatch } from './heap-watch.js';
import { Inbox } from './inbox.js';
import { leave } from './leaving.js';
import { Outbox } from './outbox.js';
import { Reports } from './reports.js';
import { Runner } from './runner.js';
import { Turn } from './turn.js';

/** The words that the worker's side of a control port goes by. */
const kControlWords = {
  sent: kControlsToOwner,
  received: kControlsToWorker,
  kicked: kWorkerKicked,
  kicks: kOwnerKicked,
};

export class WorkerLoop implements LoopSource {
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly spinUnderPressure: boolean;
  readonly #init: Init;
  readonly #control: ControlPort<ToOwner, ToWorker>;
  readonly #asks: Asks;
  readonly #turn: Turn;
  readonly #outbox: Outbox;
  readonly #runner: Runner;
  readonly #handlers: HandlerTable;
  readonly #background: Background;
  readonly #reports: Reports;
  readonly #cells: Int32Array;
  readonly #heap: HeapWatch | null;
  #released = false;

  constructor(init: Init) {
    const { portable } = init;
    this.#init = init;
    this.maxSpinUs = init.maxSpinUs;
    this.turnBudgetUs = init.turnBudgetUs;
    this.spinUnderPressure = init.spinUnderPressure;
    const channel = new Channel(init.channel);
    const onArrival = portable ? (): void => this.#onEvent() : null;
    const port = new ValuePort(init.values, onArrival);
    const { toOwner, toWorker } = channel;
    const carrier = new Carrier(channel, port, toOwner, toWorker, (slot) => isFreed(channel, slot));
    this.#control = new ControlPort<ToOwner, ToWorker>(
      init.control,
      channel,
      kControlWords,
      portable,
      (message) => this.#onControl(message),
    );
    this.#cells = channel.cells;
    this.#heap = init.watchesHeap ? new HeapWatch(channel) : null;
    this.#reports = new Reports((message) => {
      this.#control.post(message);
      if (!portable) wake(init.owner);
    });
    this.#asks = new Asks(channel);
    this.#turn = new Turn(portable, init.turnBudgetUs / 1000, () => this.#onEvent());
    this.#outbox = new Outbox(
      channel,
      carrier,
      () => this.#wakeOwner(),
      () => this.#runner.goOn(),
    );
    const loader = new HandlerLoader(init.bare);
    this.#handlers = new HandlerTable(loader, () => this.#runner.goOn());
    this.#background = new Background(channel, loader, this.#reports);
    const { concurrency, bare } = init;
    this.#runner = new Runner(
      { concurrency, bare, clockShift: clockOrigin() - init.ownerOrigin },
      channel,
      new Inbox(channel, carrier),
      this.#outbox,
      this.#turn,
      { asks: this.#asks, background: this.#background },
      (handler) => this.#entryOf(handler),
      () => this.#expect(),
    );
  }

  /** Loads the pool's handler, if there is one, and begins to take tasks. */
  async start(): Promise<void> {
    const { preload, portable, addon } = this.#init;
    if (preload !== null) await this.#handlers.define(preload);
    if (!portable) {
      // The owner rings, and only an addon hears it: without one this worker must not seem ready.
      if (loadNative(addon) === null) {
        throw new Error(`The worker cannot load the addon that its pool uses: ${whyPortable()}`);
      }
      thisLoop.attach(this);
      thisLoop.hold();
    }
    process.on('exit', () => {
      this.#outbox.releaseHeld();
      this.#outbox.tell();
      // An owner that blocks hears no event of it.
      AtomicsStore(this.#cells, kEnded, 1);
      if (!portable) wake(this.#init.owner);
    });
    const loaded = preload === null ? undefined : this.#handlers.get(preload.index)?.handler;
    this.#reports.ready(thisLoop.address, loaded instanceof LoadFailure ? loaded : null);
    // What came before this line moved no epoch that this loop would notice.
    if (portable) this.#onEvent();
    else thisLoop.again();
  }

  // LoopSource

  expectedUs(): number {
    return 0;
  }

  drain(): void {
    this.#control.poll();
    // It calls listeners of handlers, whose time is not the next task's.
    this.#asks.look();
    const at = now();
    this.#turn.begin(at, thisLoop.turnLeftMs);
    this.#runner.run(at);
    this.#expect();
  }

  /** The end of a run is when the next task is likely: this lets the loop spin for it. */
  #expect(): void {
    if (!this.#init.portable) thisLoop.expect();
  }

  // Receiving

  /** Something has come by a port: where nobody rings. */
  #onEvent(): void {
    this.#asks.look();
    this.#runner.run();
  }

  #onControl(message: ToWorker | UnreadableValue): void {
    // All of its messages are the owner's own.
    if (message instanceof UnreadableValue) return;
    switch (message.type) {
      case 'handler':
        void this.#handlers.define(message);
        return;
      case 'close':
        this.#background.endWith(() => {
          this.#reports.closed();
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

  #entryOf(handler: number): HandlerEntry | undefined {
    const entry = this.#handlers.get(handler);
    if (entry !== undefined) return entry;
    // Its definition was posted before the task was.
    this.#control.drain();
    return this.#handlers.get(handler);
  }

  #wakeOwner(): void {
    // Before the owner sees that tasks have ended.
    this.#heap?.look();
    if (this.#init.portable) this.#control.kick();
    else wake(this.#init.owner);
  }

  /** Lets the thread end when nothing else of it is alive. */
  #letGo(): void {
    if (this.#released) return;
    this.#released = true;
    if (!this.#init.portable) {
      thisLoop.release();
      return;
    }
    this.#init.values.unref();
    this.#init.control.unref();
  }
}

/** Whether the owner has read the result in a slot, if there was one. */
function isFreed(channel: Channel, slot: number): boolean {
  return AtomicsLoad(channel.cells, channel.stateAt(slot)) !== kClaimed;
}
