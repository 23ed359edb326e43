// The front of a pool: from a call to a task that the dispatcher has accepted.
//
// A call goes through a gate, which is the pool itself or one of its lanes, and then, if the pool
// is full and the call says that it waits, through the line (owner/waiting-line.ts).
//
// Guarantees: a task is made at the call, in its caller's async context, and settles the promise
// that the caller has; whoever follows it is told of its end, however far it came.

import { append, PromiseThen, SafePromise } from './base/intrinsics.js';
import { callOf, Calls, type CallDefaults, type Request } from './calls.js';
import { Coalescing } from './coalescing.js';
import { poolErrors } from './errors.js';
import { Offloading } from './offloading.js';
import type { ResolvedOptions } from './options.js';
import { onAbort } from './owner/abort-watch.js';
import { appendCallers } from './owner/caller-stack.js';
import type { Dispatcher } from './owner/dispatcher.js';
import type { HandlerTable } from './owner/handlers.js';
import type { TaskMaker } from './owner/task.js';
import { isTraced, trace, type TaskTrace } from './owner/tracing.js';
import type { WorkerHandle } from './owner/worker-handle.js';
import { readStream } from './stream.js';
import { Waiting, waitingCall, WaitingLine, type Call } from './owner/waiting-line.js';

/** What a call goes through first. */
export interface Gate {
  readonly defaults: CallDefaults;
  take(call: Call): void;
}

/** What is special to the tasks of a pool. */
interface PoolKind {
  readonly makeTask?: TaskMaker;
  /** Its handlers are called with their task alone, where a call asks for nothing beside it. */
  readonly bare?: boolean;
  /** Called when the pool has accepted a task; it may have begun, or been refused after all. */
  readonly onSubmitted?: (call: Call) => void;
}

type Resolve = (value: unknown) => void;
type Reject = (error: unknown) => void;

/** How a task ended that others run beside. */
interface Outcome {
  readonly failed: boolean;
  /** Its result, or its error. */
  readonly value: unknown;
  /** What its handler threw in; empty: it did not. */
  readonly where: string;
}

export class Front implements Gate {
  readonly defaults: ResolvedOptions;
  readonly calls: Calls;
  readonly line: WaitingLine;
  readonly #pool: object;
  readonly #dispatcher: Dispatcher;
  readonly #kind: PoolKind;
  #coalescing: Coalescing | null = null;
  readonly #offloading: Offloading;

  /** `pool` is what those who trace are told of. */
  constructor(
    pool: object,
    options: ResolvedOptions,
    handlers: HandlerTable,
    dispatcher: Dispatcher,
    kind: PoolKind = {},
  ) {
    this.#pool = pool;
    this.defaults = options;
    this.#kind = kind;
    this.calls = new Calls(handlers, kind.makeTask);
    this.#dispatcher = dispatcher;
    this.line = new WaitingLine(dispatcher.acceptance);
    this.#offloading = new Offloading(this, dispatcher, kind.bare ?? false);
  }

  /** Runs a task, by a gate. */
  run(payload: unknown, options: unknown, gate: Gate): Promise<unknown> {
    if (isTraced()) return this.#runTraced(payload, options, gate);
    return new SafePromise((resolve, reject) => {
      const request = this.calls.read(options === undefined ? {} : options, gate.defaults);
      // A lane, and a task that several calls share, have rules of their own for what runs.
      const mayRunHere = request.mayRunHere && gate === this && request.coalesce === null;
      if (mayRunHere && this.#offloading.runHere(request, payload, resolve, reject)) return;
      if (request.coalesce === null) gate.take(callOf(request, payload, resolve, reject));
      else this.#coalesce(request, payload, resolve, reject, (call) => gate.take(call));
    });
  }

  #coalesce(
    request: Request,
    payload: unknown,
    resolve: Resolve,
    reject: Reject,
    handOver: (call: Call) => void,
  ): void {
    this.#coalescing ??= new Coalescing({
      withdraw: (call, error) => this.withdraw(call, error),
      abort: (call, reason) => this.abort(call, reason),
    });
    this.#coalescing.take(request, payload, resolve, reject, handOver);
  }

  /** Sends away the tasks that wait in front of the pool, and says how many those were. */
  cancel(error: () => unknown): number {
    return this.line.cancel(error, false) + (this.#coalescing?.cancel(error) ?? 0);
  }

  /** The pool ends: sends away all who wait in front of it. */
  end(error: () => unknown): void {
    this.line.cancel(error, true);
    this.#coalescing?.cancel(error);
  }

  #runTraced(payload: unknown, options: unknown, gate: Gate): Promise<unknown> {
    const { filename, name } = this.defaults;
    const message: TaskTrace = { pool: this.#pool, filename, name };
    const begin = (resolve: Resolve, reject: Reject): void => {
      const request = this.calls.read(options === undefined ? {} : options, gate.defaults);
      const handOver = (call: Call): void => gate.take(traced(call, message));
      if (request.coalesce === null) handOver(callOf(request, payload, resolve, reject));
      else this.#coalesce(request, payload, resolve, reject, handOver);
    };
    return trace(() => new SafePromise(begin), message);
  }

  /** The parts of a handler's stream. */
  stream(payload: unknown, options: unknown): AsyncGenerator<unknown, void, undefined> {
    const request = this.calls.read(options === undefined ? {} : options, this.defaults, 'stream');
    return readStream(this, request, payload);
  }

  /**
   * Begins a task of a request that was read before. Its handler's error goes to `fail`, with the
   * thread that it comes from; so does what keeps the task from running, which may be thrown as
   * well. `prepare` is called before the pool has the task.
   */
  begin(
    request: Request,
    payload: unknown,
    resolve: Resolve,
    fail: (error: unknown, where: string) => void,
    prepare: ((call: Call) => void) | null = null,
  ): Call {
    const reject = (error: unknown): void => fail(error, '');
    if (isTraced()) return this.#beginTraced(request, payload, resolve, fail, prepare);
    const call = callOf(request, payload, resolve, reject);
    call.task.failTo(fail);
    prepare?.(call);
    this.take(call);
    return call;
  }

  #beginTraced(
    request: Request,
    payload: unknown,
    resolve: Resolve,
    fail: (error: unknown, where: string) => void,
    prepare: ((call: Call) => void) | null,
  ): Call {
    const { filename, name } = this.defaults;
    const message: TaskTrace = { pool: this.#pool, filename, name };
    let begun: Call | null = null;
    let refusal: unknown;
    const begin = (settle: Resolve, reject: Reject): void => {
      const failBoth = (error: unknown, where: string): void => {
        reject(error);
        fail(error, where);
      };
      const resolveBoth = (value: unknown): void => {
        settle(value);
        resolve(value);
      };
      try {
        const rejectBoth = (error: unknown): void => failBoth(error, '');
        begun = callOf(request, payload, resolveBoth, rejectBoth);
      } catch (error) {
        refusal = error;
        throw error;
      }
      begun.task.failTo(failBoth);
      prepare?.(begun);
      this.take(traced(begun, message));
    };
    // What keeps a task from being made is thrown here as it is without traces.
    const outcome = trace(() => new SafePromise(begin), message);
    void PromiseThen(outcome, nothing, nothing);
    if (begun === null) throw refusal;
    return begun;
  }

  /** Runs a task on each worker. */
  async broadcast(
    payload: unknown,
    options: unknown,
    below: (...args: never[]) => unknown,
  ): Promise<unknown[]> {
    const given = options === undefined ? {} : options;
    const request = this.calls.read(given, this.defaults, 'broadcast');
    if (this.#dispatcher.state !== 'open') throw poolErrors.closed();
    const { all } = this.#dispatcher.crew;
    const outcomes: Promise<Outcome>[] = [];
    for (let i = 0; i < all.length; i++) {
      const worker = all[i]!;
      if (worker.state === 'booting' || worker.state === 'ready')
        append(outcomes, this.#runOn(worker, request, payload));
    }
    const results: unknown[] = [];
    let failure: Outcome | null = null;
    for (let i = 0; i < outcomes.length; i++) {
      const outcome = await outcomes[i]!;
      if (outcome.failed) failure ??= outcome;
      append(results, outcome.value);
    }
    if (failure === null) return results;
    appendCallers(failure.value, failure.where, below);
    throw failure.value;
  }

  #runOn(worker: WorkerHandle, request: Request, payload: unknown): Promise<Outcome> {
    return new SafePromise<Outcome>((resolve) => {
      const fail = (value: unknown, where: string): void => resolve({ failed: true, value, where });
      const { task, signal } = callOf(
        request,
        payload,
        (value) => resolve({ failed: false, value, where: '' }),
        (error) => fail(error, ''),
      );
      task.failTo(fail);
      const dispatcher = this.#dispatcher;
      if (!dispatcher.submitTo(worker, task)) task.end('cancelled');
      else if (signal !== undefined)
        task.forget = onAbort(signal, () => dispatcher.abort(task, signal.reason));
    });
  }

  /** Hands a call to the pool, or has it wait for room. */
  take(call: Call): void {
    if (call.waits && this.#dispatcher.state === 'open' && this.line.isClosed)
      this.line.push(waitingCall(call, poolErrors, () => this.submit(call)));
    else this.submit(call);
  }

  /** Hands a call to the pool as it is. */
  submit(call: Call): void {
    const { task, signal } = call;
    const dispatcher = this.#dispatcher;
    if (!dispatcher.submit(task)) {
      task.end('cancelled');
      return;
    }
    if (signal !== undefined)
      task.forget = onAbort(signal, () => dispatcher.abort(task, signal.reason));
    this.#kind.onSubmitted?.(call);
  }

  /** Rejects a task that has not begun, wherever it waits. `false`: it has, or has ended. */
  withdraw({ task, waiting }: Call, error: () => unknown): boolean {
    if (waiting === null) return this.#dispatcher.withdraw(task, error);
    waiting.leave(error(), 'cancelled');
    return true;
  }

  /** Aborts a task that the pool has. */
  abort({ task }: Call, reason: unknown): void {
    this.#dispatcher.abort(task, reason);
  }

  /** Resolves when there is room. */
  capacity(): Promise<void> {
    return new SafePromise((resolve, reject) => {
      if (this.#dispatcher.state !== 'open') reject(poolErrors.closed());
      else if (this.line.isClosed) this.line.push(new Waiting(false, resolve, reject));
      else resolve();
    });
  }
}

function traced(call: Call, message: TaskTrace): Call {
  message.filename = call.task.handler.url;
  message.name = call.task.handler.exportName;
  call.task.trace = message;
  return call;
}

function nothing(): void {}
