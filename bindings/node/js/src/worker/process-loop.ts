// A worker that is a process: its conversation with the owner, by two pipes.
//
// What runs tasks is what runs them in a thread. It works on a channel as there, whose memory is
// this process's own: a task that comes by a pipe is posted there, and what is published is sent
// at once. So a result is with the system when its task has ended, whatever the process does next.
//
// Guarantees: before a handler is called the owner has been sent that it is; the process lives for
// as long as its pipes are open and it has not been told to end.

import type { Socket } from 'node:net';
import { AtomicsAdd, AtomicsExchange, AtomicsStore, now, PromiseThen } from '../base/intrinsics.js';
import { thisLoop } from '../wait/loop.js';
import {
  Channel,
  createChannelMemory,
  kAskNothing,
  kAsks,
  kBackgroundActive,
  kBackgroundCompleted,
  kClaimed,
  kFree,
  kPosted,
  kPrefetchMax,
  kStillRunning,
  RingReader,
  RingWriter,
} from '../wire/channel.js';
import { toWire } from '../wire/errors/decoder.js';
import {
  decodeValue,
  encodeValue,
  frameOf,
  kAskFrame,
  kBackgroundFrame,
  kBegunFrame,
  kControlFrame,
  kFatalFrame,
  kLoadedFrame,
  kReleasedFrame,
  kResultFrame,
  kTaskFrame,
  type Frame,
} from '../wire/frames.js';
import {
  processClockOrigin,
  type HandlerMessage,
  type ProcessInit,
  type ToOwner,
  type ToWorker,
} from '../wire/messages.js';
import { ProcessCarrier } from '../wire/process-carrier.js';
import { Asks } from './asks.js';
import { Background } from './background.js';
import { HandlerLoader, LoadFailure } from './handler-loader.js';
import { HandlerTable } from './handler-table.js';
import { Inbox } from './inbox.js';
import { leave } from './leaving.js';
import { Outbox, uncloneable } from './outbox.js';
import { Reports } from './reports.js';
import { Runner } from './runner.js';
import { Turn } from './turn.js';

/** The worker's side, with an owner who is to be told when a handler is called. */
class ToldChannel extends Channel {
  constructor(
    slots: number,
    readonly onEntered: (slot: number) => void,
  ) {
    super(createChannelMemory(slots, { shapeWords: 0, arenaWords: 0, byPort: true }));
  }

  override setEntered(slot: number, entered: boolean): void {
    super.setEntered(slot, entered);
    if (entered) this.onEntered(slot);
  }
}

/** Sends each result when it is published, and not with others, and says when it may be told. */
class PromptOutbox extends Outbox {
  onReleased: (slot: number, mark: number) => void = () => {};

  protected override released(slot: number, mark: number): void {
    this.onReleased(slot, mark);
  }

  override finish(...result: Parameters<Outbox['finish']>): boolean {
    super.finish(...result);
    this.tell();
    return true;
  }
}

/** Says each time how much work there is. */
class ToldBackground extends Background {
  onChange: () => void = () => {};

  protected override changed(): void {
    this.onChange();
  }
}

/** How often a task that asks whether it should stop has the pipe read, in ms. */
const kLookMs = 1;

/** Looks into the pipe when a task asks: it may be one that never yields. */
class CurrentAsks extends Asks {
  readonly #receive: () => void;
  #lookedAt = 0;

  constructor(channel: Channel, receive: () => void) {
    super(channel);
    this.#receive = receive;
  }

  override of(slot: number): number {
    const at = now();
    if (at - this.#lookedAt >= kLookMs) {
      this.#lookedAt = at;
      this.#receive();
    }
    return super.of(slot);
  }
}

interface WorkerPipes {
  readonly fromOwner: Socket;
  readonly toOwner: Socket;
}

export class ProcessLoop {
  readonly #init: ProcessInit;
  readonly #pipes: WorkerPipes;
  readonly #channel: Channel;
  readonly #carrier = new ProcessCarrier();
  readonly #tasks: RingWriter;
  readonly #results: RingReader;
  readonly #inbox: Inbox;
  readonly #asks: Asks;
  readonly #handlers: HandlerTable;
  readonly #background: ToldBackground;
  readonly #reports: Reports;
  readonly #runner: Runner;

  /** `receive` has what the pipe holds given to {@link take}, also where the loop has no turn. */
  constructor(init: ProcessInit, pipes: WorkerPipes, receive: () => void) {
    this.#init = init;
    this.#pipes = pipes;
    const { concurrency, turnBudgetUs, ownerOrigin } = init;
    const channel = new ToldChannel(concurrency + kPrefetchMax, (slot) =>
      this.#send(frameOf(kBegunFrame, [slot, channel.startedAt(slot)], null)),
    );
    this.#channel = channel;
    this.#tasks = new RingWriter(channel.tasks);
    this.#results = new RingReader(channel.results);
    this.#inbox = new Inbox(channel, this.#carrier);
    this.#reports = new Reports((message) => this.#report(message));
    this.#asks = new CurrentAsks(channel, receive);
    const turn = new Turn(true, turnBudgetUs / 1000, () => this.#runner.run());
    const outbox = new PromptOutbox(
      channel,
      this.#carrier,
      () => this.#sendResults(),
      () => this.#runner.goOn(),
    );
    outbox.onReleased = (slot, mark) => this.#send(frameOf(kReleasedFrame, [slot, mark], null));
    const loader = new HandlerLoader(false);
    this.#handlers = new HandlerTable(loader, () => this.#runner.goOn());
    this.#background = new ToldBackground(channel, loader, this.#reports);
    this.#background.onChange = () => this.#sendBackground();
    this.#runner = new Runner(
      { concurrency, bare: false, clockShift: processClockOrigin() - ownerOrigin },
      channel,
      this.#inbox,
      outbox,
      turn,
      { asks: this.#asks, background: this.#background },
      (handler) => this.#handlers.get(handler),
      () => {},
    );
  }

  /** Loads the pool's handler, if there is one, and begins to take tasks. */
  async start(): Promise<void> {
    process.on('uncaughtExceptionMonitor', (error) => this.#onUncaught(error));
    const { preload } = this.#init;
    if (preload !== null) await this.#define(preload);
    const loaded = preload === null ? undefined : this.#handlers.get(preload.index)?.handler;
    this.#reports.ready(thisLoop.address, loaded instanceof LoadFailure ? loaded : null);
  }

  #define(message: HandlerMessage): Promise<void> {
    return PromiseThen(this.#handlers.define(message), () =>
      this.#send(frameOf(kLoadedFrame, [message.index], null)),
    );
  }

  // Sending

  #send(frame: Buffer): void {
    const { toOwner } = this.#pipes;
    if (toOwner.writable) toOwner.write(frame);
  }

  /** Throws if the message cannot be cloned. */
  #report(message: ToOwner): void {
    // Nobody can be rung from another process.
    const sent = message.type === 'ready' ? { ...message, address: null } : message;
    this.#send(frameOf(kControlFrame, [], encodeValue(sent)));
  }

  #sendResults(): void {
    const channel = this.#channel;
    for (let slot = this.#results.peek(); slot >= 0; slot = this.#results.peek()) {
      this.#results.advance();
      const numbers = [
        slot,
        channel.codeOf(slot),
        channel.startedAt(slot),
        channel.runMs(slot),
        AtomicsExchange(channel.cells, channel.markAt(slot), 0),
      ] as const;
      this.#send(frameOf(kResultFrame, numbers, this.#carrier.takeOut(slot)));
      AtomicsStore(channel.cells, channel.stateAt(slot), kFree);
    }
  }

  #sendBackground(): void {
    const { cells } = this.#channel;
    const numbers = [cells[kBackgroundActive]!, cells[kBackgroundCompleted]!] as const;
    this.#send(frameOf(kBackgroundFrame, numbers, null));
  }

  /** The process ends of it, unless somebody listens. */
  #onUncaught(error: unknown): void {
    if (process.listenerCount('uncaughtException') > 0) return;
    if (process.hasUncaughtExceptionCaptureCallback()) return;
    let fatal: Buffer;
    try {
      fatal = encodeValue(toWire(error));
    } catch {
      fatal = encodeValue(toWire(new Error(uncloneable('The process threw', error).message)));
    }
    this.#send(frameOf(kFatalFrame, [], fatal));
  }

  // Receiving

  /** Takes a frame; what it brings is looked at by {@link go}. */
  take(frame: Frame): void {
    switch (frame.kind) {
      case kTaskFrame:
        this.#post(frame);
        return;
      case kAskFrame:
        this.#ask(frame.number(0), frame.number(1));
        return;
      case kControlFrame:
        this.#onControl(decodeValue(frame.body) as ToWorker);
        return;
    }
  }

  /** Whether tasks have come that nobody has begun. */
  get hasTasks(): boolean {
    return this.#inbox.peek() >= 0;
  }

  /** Runs what has come. */
  go(): void {
    // It calls listeners of handlers, whose time is not the next task's.
    this.#asks.look();
    this.#runner.run(now());
  }

  #post(frame: Frame): void {
    const channel = this.#channel;
    const slot = frame.number(0);
    channel.setHandler(slot, frame.number(1));
    channel.setCode(slot, frame.number(2));
    channel.setPostedAt(slot, frame.number(3));
    channel.setRunMs(slot, kStillRunning);
    channel.setEntered(slot, false);
    AtomicsStore(channel.cells, channel.askAt(slot), kAskNothing);
    this.#carrier.bringIn(slot, frame.body);
    AtomicsStore(channel.cells, channel.stateAt(slot), kPosted);
    this.#tasks.push(slot);
  }

  #ask(slot: number, what: number): void {
    const { cells } = this.#channel;
    const state = cells[this.#channel.stateAt(slot)];
    // Its task has ended meanwhile.
    if (state !== kPosted && state !== kClaimed) return;
    AtomicsStore(cells, this.#channel.askAt(slot), what);
    AtomicsAdd(cells, kAsks, 1);
  }

  #onControl(message: ToWorker): void {
    switch (message.type) {
      case 'handler':
        void this.#define(message);
        return;
      case 'close':
        this.#background.endWith(() => {
          this.#reports.closed();
          leave(() => this.#pipes.fromOwner.unref());
        });
        return;
      case 'retire':
        this.#background.endWith(() => this.#pipes.fromOwner.unref());
        return;
    }
  }
}
