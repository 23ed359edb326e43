// A worker's thread: started with all that it needs, reached by its channel, ended once.

import { MessageChannel, Worker, type MessagePort, type WorkerOptions } from 'node:worker_threads';
import { AtomicsLoad, SafeSet } from '../base/intrinsics.js';
import { cpuMsOf } from '../wait/cpus.js';
import { readStages, thisLoop, wake, type LoopAddress, type StageCounts } from '../wait/loop.js';
import { nativeFile } from '../wait/native.js';
import { Carrier } from '../wire/carrier.js';
import {
  Channel,
  createChannelMemory,
  kBackgroundActive,
  kBackgroundCompleted,
  kControlsToOwner,
  kControlsToWorker,
  kOwnerKicked,
  kPrefetchMax,
  kWorkerKicked,
} from '../wire/channel.js';
import { ControlPort } from '../wire/control-port.js';
import {
  clockOrigin,
  type HandlerMessage,
  type Init,
  type LoadingFiles,
  type ToOwner,
  type ToWorker,
} from '../wire/messages.js';
import type { Traffic } from '../wire/traffic.js';
import { ValuePort, type UnreadableValue } from '../wire/value-port.js';
import type { Body } from './body.js';
import type { Handler } from './handlers.js';
import { kWorkerFile } from './worker-file.js';

/** What a thread is started with. */
export interface ThreadSpec {
  readonly workerOptions: WorkerOptions;
  /** What the worker runs in. */
  readonly runtime: 'thread' | 'process';
  /**
   * Tasks that the worker begins before it has ended others. A balancer may count on more than the
   * dispatcher does.
   */
  readonly concurrency: number;
  readonly maxSpinUs: number;
  readonly turnBudgetUs: number;
  readonly spinUnderPressure: boolean;
  readonly portable: boolean;
  /** Values cross as structured clones only. */
  readonly wireByPort: boolean;
  readonly preload: Handler | null;
  /** Handlers are called with the task alone; `setup` and `teardown` are exports like any other. */
  readonly bare: boolean;
  readonly niceIncrement: number;
  /** What was being loaded when the pool was made. */
  readonly loading: LoadingFiles;
  /** Workers are to say what their heaps use. */
  readonly watchesHeap: boolean;
}

/** What is heard of a thread. */
export interface ThreadEvents {
  onControl(message: ToOwner | UnreadableValue): void;
  /** A value has come, where threads cannot ring each other. */
  onValue(): void;
  /** The worker's own code posted a message on its `parentPort`. */
  onMessage(message: unknown): void;
  /** An uncaught error ends it. */
  onError(error: unknown): void;
  onExit(exitCode: number): void;
}

/** The words that the owner's side of a control port goes by. */
const kControlWords = {
  sent: kControlsToWorker,
  received: kControlsToOwner,
  kicked: kOwnerKicked,
  kicks: kWorkerKicked,
};

export class Thread implements Body {
  readonly worker: Worker;
  readonly process = null;
  /** Outlives the thread; Node's own turns -1. */
  readonly id: number;
  readonly channel: Channel;
  readonly carrier: Carrier;
  readonly control: ControlPort<ToWorker, ToOwner>;
  /** Where it is woken, once it has said so. */
  address: LoopAddress | null = null;
  readonly #portable: boolean;
  readonly #ports: readonly [MessagePort, MessagePort];
  readonly #known = new SafeSet<number>();
  #ended = false;

  constructor(spec: ThreadSpec, events: ThreadEvents) {
    const { portable } = spec;
    this.#portable = portable;
    const { concurrency, wireByPort } = spec;
    const memory = createChannelMemory(concurrency + kPrefetchMax, { byPort: wireByPort });
    this.channel = new Channel(memory);
    this.worker = new Worker(kWorkerFile, spec.workerOptions);
    this.id = this.worker.threadId;
    const values = new MessageChannel();
    const control = new MessageChannel();
    this.#ports = [values.port1, control.port1];
    const onValue = portable ? (): void => events.onValue() : null;
    const { toWorker, toOwner } = this.channel;
    const port = new ValuePort(values.port1, onValue);
    this.carrier = new Carrier(this.channel, port, toWorker, toOwner);
    this.control = new ControlPort<ToWorker, ToOwner>(
      control.port1,
      this.channel,
      kControlWords,
      portable,
      (message) => events.onControl(message),
    );
    const init: Init = {
      type: 'cenote:init',
      channel: memory,
      values: values.port2,
      control: control.port2,
      owner: thisLoop.address,
      ownerOrigin: clockOrigin(),
      concurrency: spec.concurrency,
      maxSpinUs: spec.maxSpinUs,
      turnBudgetUs: spec.turnBudgetUs,
      spinUnderPressure: spec.spinUnderPressure,
      portable,
      addon: portable ? '' : nativeFile(),
      preload: spec.preload === null ? null : this.#definitionOf(spec.preload),
      bare: spec.bare,
      niceIncrement: spec.niceIncrement,
      loading: spec.loading,
      watchesHeap: spec.watchesHeap,
    };
    this.worker.postMessage(init, [values.port2, control.port2]);
    this.worker.on('message', (message: unknown) => events.onMessage(message));
    this.worker.on('error', (error: unknown) => events.onError(error));
    this.worker.on('exit', (exitCode: number) => events.onExit(exitCode));
    // An idle pool does not hold the process; the loop is held while tasks are outstanding. A
    // listener for messages holds it as well, so this comes after it.
    this.worker.unref();
    if (portable) {
      values.port1.unref();
      control.port1.unref();
    }
  }

  /** Makes sure that the worker knows a handler. */
  define(handler: Handler): void {
    if (!this.#known.has(handler.index)) this.control.post(this.#definitionOf(handler));
  }

  #definitionOf({ index, url, exportName, carries }: Handler): HandlerMessage {
    this.#known.add(index);
    return { type: 'handler', index, url, exportName, carries };
  }

  /** Makes the worker look at what was published for it. */
  wake(): void {
    if (this.#portable) this.control.kick();
    else if (this.address !== null) wake(this.address);
  }

  /** Receives control messages. A port may also have what no event has told yet. */
  catchUp(): void {
    if (this.#portable) this.control.drain();
    else this.control.poll();
  }

  tell(message: ToWorker): void {
    this.control.post(message);
    if (!this.#portable) this.wake();
  }

  /** What has crossed to the thread, and from it. */
  get traffic(): { readonly tasks: Traffic; readonly results: Traffic } {
    return { tasks: this.carrier.sent, results: this.carrier.received };
  }

  /** Registered background work that ended well, and that is alive. In this order: `leave()`. */
  get background(): { readonly completed: number; readonly active: number } {
    const completed = AtomicsLoad(this.channel.cells, kBackgroundCompleted);
    return { completed, active: AtomicsLoad(this.channel.cells, kBackgroundActive) };
  }

  /** Its CPU time in ms, or -1 where it is not known. */
  get cpuMs(): number {
    return this.address === null ? -1 : cpuMsOf(this.address);
  }

  get stages(): StageCounts | null {
    return this.address === null ? null : readStages(this.address.words);
  }

  /** Once: Node would add a listener for each call. */
  terminate(): void {
    if (this.#ended) return;
    this.#ended = true;
    void this.worker.terminate();
  }

  closePorts(): void {
    this.#ports[0].close();
    this.#ports[1].close();
  }
}
