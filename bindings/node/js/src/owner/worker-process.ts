// A worker that is a process of its own: started with all that it needs, reached by two pipes,
// killed once.
//
// To its handle it is what a thread is that cannot be rung (`thread.ts`): there is a channel, whose
// other side is played on this thread (`process-relay.ts`).
//
// Guarantees: all that the process has sent is read before its end is told; it is killed when this
// thread's process ends, and ends by itself when its pipes do.

import { fork, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import {
  AtomicsLoad,
  AtomicsStore,
  define,
  PlainError,
  SafeSet,
  setTimeout,
} from '../base/intrinsics.js';
import { PlainInt32Array } from '../base/value-intrinsics.js';
import type { LoopAddress, StageCounts } from '../wait/loop.js';
import { kLoopWords } from '../wait/words.js';
import {
  Channel,
  createChannelMemory,
  kBackgroundActive,
  kBackgroundCompleted,
  kEnded,
  kPrefetchMax,
} from '../wire/channel.js';
import { fromWire } from '../wire/errors/decoder.js';
import {
  decodeValue,
  encodeValue,
  frameOf,
  FrameReader,
  kControlFrame,
  kFatalFrame,
  kInitFrame,
  kResultsPipe,
  kTasksPipe,
  type Frame,
} from '../wire/frames.js';
import {
  processClockOrigin,
  type HandlerMessage,
  type ProcessInit,
  type ToOwner,
  type ToWorker,
  type WireFailure,
} from '../wire/messages.js';
import { takeNow } from '../wire/pipe-now.js';
import { ProcessCarrier } from '../wire/process-carrier.js';
import type { Traffic } from '../wire/traffic.js';
import { UnreadableValue } from '../wire/value-port.js';
import type { Body } from './body.js';
import type { Handler } from './handlers.js';
import { killAtExit } from './process-end.js';
import { flagsFor, textsOf } from './process-flags.js';
import { ProcessRelay } from './process-relay.js';
import type { ThreadEvents, ThreadSpec } from './thread.js';

/** What every worker process runs: what a thread runs as well. */
const kWorkerFile = join(__dirname, '..', 'worker', 'main.js');

/**
 * How long the pipe of a process that has ended may stay open, in ms, where it can only be waited
 * for: something that the process started may have inherited it.
 */
const kPipeMs = 1_000;

export class WorkerProcess implements Body {
  readonly worker = null;
  readonly process: ChildProcess;
  readonly id: number;
  readonly channel: Channel;
  readonly carrier = new ProcessCarrier();
  /** Messages come as events, in order with results. */
  readonly control = { poll(): void {}, drain(): void {} };
  address: LoopAddress | null = null;
  readonly #events: ThreadEvents;
  readonly #relay: ProcessRelay;
  readonly #toWorker: Duplex | null;
  readonly #fromWorker: Duplex | null;
  readonly #reader = new FrameReader((frame) => this.#onFrame(frame));
  readonly #known = new SafeSet<number>();
  #killed = false;
  #exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | null = null;
  #pipeIsOpen = true;
  #ended = false;

  constructor(spec: ThreadSpec, events: ThreadEvents) {
    const { concurrency, workerOptions } = spec;
    this.#events = events;
    // No value goes in words.
    const room = { shapeWords: 0, arenaWords: 0, byPort: true };
    this.channel = new Channel(createChannelMemory(concurrency + kPrefetchMax, room));
    const write = (frame: Buffer): void => this.#write(frame);
    this.#relay = new ProcessRelay(this.channel, this.carrier, concurrency, write);
    const init = encodeValue({
      workerData: workerOptions.workerData as unknown,
      ownerOrigin: processClockOrigin(),
      concurrency,
      turnBudgetUs: spec.turnBudgetUs,
      preload: spec.preload === null ? null : this.#definitionOf(spec.preload),
      loading: spec.loading,
    } satisfies ProcessInit);
    this.process = fork(kWorkerFile, textsOf(workerOptions.argv), {
      ...(typeof workerOptions.env === 'object' ? { env: workerOptions.env } : {}),
      execArgv: flagsFor(workerOptions),
      serialization: 'advanced',
      // Node's own channel is for `process.send()`.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe', 'pipe'],
    });
    this.id = this.process.pid ?? -1;
    this.#toWorker = pipeOf(this.process, kTasksPipe);
    this.#fromWorker = pipeOf(this.process, kResultsPipe);
    this.#listen();
    this.#write(frameOf(kInitFrame, [], init));
  }

  #listen(): void {
    const child = this.process;
    killAtExit(child);
    child.on('message', (message: unknown) => this.#events.onMessage(message));
    child.on('error', (error) => this.#onError(error));
    child.on('exit', (code, signal) => {
      this.#exit = { code, signal };
      // All that it wrote is in the pipe: whoever else still has that has nothing to say.
      if (this.#takeNow()) this.#pipeIsOpen = false;
      else setTimeout(() => this.#onPipeClosed(true), kPipeMs).unref();
      this.#endIfOver();
    });
    child.unref();
    child.channel?.unref();
    // Its end says all there is to say of it.
    this.#toWorker?.on('error', () => {});
    this.#toWorker?.on('close', () => this.#onPipeClosed(false));
    const pipe = this.#fromWorker;
    if (pipe === null) return;
    pipe.on('data', (chunk: Buffer) => {
      this.#reader.take(chunk);
      this.#goOn();
      if (!this.#relay.hasNews) return;
      this.#relay.hasNews = false;
      this.#events.onValue();
    });
    pipe.on('error', () => {});
    pipe.on('close', () => this.#onPipeClosed(true));
  }

  /** Something of it was read, by whichever way. */
  #goOn(): void {
    if (this.#reader.isBroken) this.#giveUp();
    this.#relay.pump();
  }

  #write(frame: Buffer): void {
    const pipe = this.#toWorker;
    if (pipe !== null && pipe.writable) pipe.write(frame);
  }

  // Its end

  /** It could not be started, or not be killed; in the latter case it lives on. */
  #onError(error: unknown): void {
    if (this.process.pid !== undefined || this.#ended) return;
    this.#ended = true;
    this.#events.onError(error);
    this.#events.onExit(1);
  }

  #onPipeClosed(fromWorker: boolean): void {
    if (fromWorker) this.#pipeIsOpen = false;
    // Without its pipes it is of no use, whoever closed one.
    if (this.#exit === null) this.process.kill('SIGKILL');
    else this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#exit === null || this.#pipeIsOpen || this.#ended) return;
    this.#ended = true;
    const { code, signal } = this.#exit;
    if (signal === null) {
      this.#events.onExit(code ?? 1);
      return;
    }
    if (!this.#killed) this.#events.onError(killedBy(signal));
    this.#events.onExit(128 + constants.signals[signal]);
  }

  /** Its code has written to the pipe. */
  #giveUp(): void {
    if (this.#killed) return;
    this.#noteEnd();
    this.#events.onError(
      new PlainError(`it wrote to file descriptor ${kResultsPipe}, the pipe to its pool`),
    );
    this.terminate();
  }

  /** For a caller that blocks this thread, who hears of no event. */
  #noteEnd(): void {
    AtomicsStore(this.channel.cells, kEnded, 1);
  }

  terminate(): void {
    if (this.#killed || this.#exit !== null) return;
    this.#killed = true;
    this.process.kill('SIGKILL');
  }

  closePorts(): void {
    this.#toWorker?.destroy();
    this.#fromWorker?.destroy();
  }

  // What it says

  #onFrame(frame: Frame): void {
    if (this.#relay.take(frame)) return;
    let value: unknown;
    try {
      value = decodeValue(frame.body);
    } catch (error) {
      this.#events.onControl(new UnreadableValue(error));
      return;
    }
    if (frame.kind === kControlFrame) {
      this.#onControl(value as ToOwner);
    } else if (frame.kind === kFatalFrame) {
      const [code, thrown] = value as WireFailure;
      this.#events.onError(fromWire(code, thrown));
    }
  }

  #onControl(message: ToOwner): void {
    if (message.type !== 'ready') {
      this.#events.onControl(message);
      return;
    }
    this.#relay.isOpen = true;
    // Nobody rings it.
    const words = new PlainInt32Array(new SharedArrayBuffer(4 * kLoopWords));
    this.#events.onControl({ ...message, address: { words, station: 0 } });
  }

  // What it is told

  define(handler: Handler): void {
    if (!this.#known.has(handler.index)) this.tell(this.#definitionOf(handler));
  }

  #definitionOf({ index, url, exportName, carries }: Handler): HandlerMessage {
    this.#known.add(index);
    return { type: 'handler', index, url, exportName, carries };
  }

  tell(message: ToWorker): void {
    this.#write(frameOf(kControlFrame, [], encodeValue(message)));
  }

  wake(): void {
    this.#relay.pump();
  }

  catchUp(): void {
    this.#takeNow();
    this.#goOn();
  }

  /** Takes all that is in the pipe. `false`: it is not known whether that was all. */
  #takeNow(): boolean {
    const pipe = this.#fromWorker;
    if (pipe === null || !this.#pipeIsOpen) return true;
    const taken = takeNow(numberOf(pipe), pipe, this.#reader);
    if (taken === 'closed') this.#noteEnd();
    return taken !== 'unknown';
  }

  get traffic(): { readonly tasks: Traffic; readonly results: Traffic } {
    return { tasks: this.carrier.sent, results: this.carrier.received };
  }

  get background(): { readonly completed: number; readonly active: number } {
    const { cells } = this.channel;
    const completed = AtomicsLoad(cells, kBackgroundCompleted);
    return { completed, active: AtomicsLoad(cells, kBackgroundActive) };
  }

  get cpuMs(): number {
    return -1;
  }

  get stages(): StageCounts | null {
    return null;
  }
}

/** One of its pipes. As a thread does, it holds this process only while tasks are outstanding. */
function pipeOf(child: ChildProcess, number: number): Duplex | null {
  const pipe = child.stdio?.[number] as (Duplex & { unref(): void }) | null | undefined;
  pipe?.unref();
  return pipe ?? null;
}

/** A pipe's number on this side, which Node tells in no other way; -1 if it does not. */
function numberOf(pipe: Duplex): number {
  const { fd } = (pipe as Duplex & { readonly _handle?: { readonly fd?: number } })._handle ?? {};
  return typeof fd === 'number' ? fd : -1;
}

/** Why a process ended that a signal has killed, with the signal's name as a property. */
function killedBy(signal: NodeJS.Signals): Error {
  const aborted = signal === 'SIGABRT' || signal === 'SIGTRAP' || signal === 'SIGILL';
  const hint = aborted ? ', as a process is that runs out of memory or calls abort()' : '';
  const error = new PlainError(`it was killed by ${signal}${hint}`);
  define(error, 'signal', signal, true);
  return error;
}
