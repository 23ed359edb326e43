// A task of a Piscina: what queues and load balancers see of it, its place in async hooks, and the
// promise that it settles.
//
// Users may hold on to what they see of a task, so it lets go of its payload when it has settled.
//
// Each is an async resource `Piscina.Task`, created where `run()` was called. Its promise is
// settled inside it, so what the caller's context holds is there, and tools see what caused
// what.

import { AsyncResource } from 'node:async_hooks';
import type { Transferable } from 'node:worker_threads';
import { queueMicrotask } from '../base/intrinsics.js';
import { onAbort, onAbortEvent } from '../owner/abort-watch.js';
import type { Handler } from '../owner/handlers.js';
import { Task, type TaskMaker } from '../owner/task.js';
import type { Carried } from '../wire/task-messages.js';
import { toPath } from './options.js';
import { queueOptionsSymbol, type PiscinaTask } from './queues.js';
import type { AbortSignalAny } from './types.js';

/** Whole up to 2^53: at a million tasks a second that is 285 years. */
let lastId = 0;

/** How a task's promise is settled. */
interface Settling {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** What a task is made of. */
interface TaskParts {
  readonly payload: unknown;
  readonly transferList: readonly Transferable[] | null;
  readonly handler: Handler;
  readonly filename: string;
  readonly name: string;
  readonly isAbortable: boolean;
  readonly triggerAsyncId: number;
}

export class TaskInfo extends AsyncResource implements PiscinaTask {
  readonly taskId = lastId++;
  readonly filename: string;
  readonly name: string;
  readonly created: number;
  readonly isAbortable: boolean;
  /** What the dispatcher knows it as. */
  readonly #task: InfoTask;
  readonly #settling: Settling;
  #isOver = false;
  #queueOptions: object | null = null;

  constructor(parts: TaskParts, settling: Settling) {
    super('Piscina.Task', { requireManualDestroy: true, triggerAsyncId: parts.triggerAsyncId });
    this.filename = parts.filename;
    this.name = parts.name;
    this.isAbortable = parts.isAbortable;
    this.#settling = settling;
    this.#task = new InfoTask(this, parts);
    this.created = this.#task.acceptedAt;
  }

  /** The dispatcher's task behind what a queue gave back; null if it is none. */
  static taskOf(value: unknown): InfoTask | null {
    return typeof value === 'object' && value !== null && #task in value ? value.#task : null;
  }

  /** The payload; `undefined` once the task has settled. */
  get task(): unknown {
    const { payload, handler } = this.#task;
    return handler.carries === 0 || payload === undefined ? payload : (payload as Carried)[1];
  }

  /** What a queue has seen once it sees for good: it may look for a settled task under it. */
  get [queueOptionsSymbol](): object | null {
    if (this.#isOver) return this.#queueOptions;
    const options = (this.task as { [queueOptionsSymbol]?: object } | null | undefined)?.[
      queueOptionsSymbol
    ];
    this.#queueOptions = options ?? null;
    return this.#queueOptions;
  }

  resolve(value: unknown): void {
    this.#settle(this.#settling.resolve, value);
  }

  reject(error: unknown): void {
    this.#settle(this.#settling.reject, error);
  }

  /** Ends it otherwise than by its promise: `tell` says how. */
  endBy(tell: () => void): void {
    this.#settle(tell, undefined);
  }

  /**
   * Other code may run in here, of hooks and of signals. What it throws is its own, not the
   * caller's.
   */
  #settle(how: (value: unknown) => void, value: unknown): void {
    this.#isOver = true;
    this.#task.payload = undefined;
    try {
      this.runInAsyncScope(how, this.#settling, value);
      this.emitDestroy();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** The dispatcher's task, which knows what users see of it. */
export class InfoTask extends Task {
  readonly info: TaskInfo;
  /** The round in which the load balancer gave it to nobody. */
  refusedIn = 0;

  constructor(info: TaskInfo, { handler, payload, transferList, isAbortable }: TaskParts) {
    super(
      handler,
      payload,
      transferList,
      isAbortable,
      (value) => info.resolve(value),
      (error) => info.reject(error),
    );
    this.info = info;
  }

  override failTo(fail: (error: unknown, where: string) => void): void {
    super.failTo((error, where) => this.info.endBy(() => fail(error, where)));
  }
}

/** The task of a call of a `Pool`'s kind, for users to see. */
export function taskOfCall(parts: Parameters<TaskMaker>, triggerAsyncId: number): InfoTask {
  const { 0: handler, 1: payload, 2: transferList, 3: isAbortable } = parts;
  const { 4: resolve, 5: reject } = parts;
  const { url, exportName: name } = handler;
  const filename = url.startsWith('file:') ? toPath(url) : url;
  const info = new TaskInfo(
    { payload, transferList, handler, filename, name, isAbortable, triggerAsyncId },
    { resolve, reject },
  );
  return TaskInfo.taskOf(info)!;
}

/** Calls `listener` at the first abort, until the returned function is called. */
export function listenForAbort(abortSignal: AbortSignalAny, listener: () => void): () => void {
  if ('addEventListener' in abortSignal) return onAbort(abortSignal, listener);
  return onAbortEvent(abortSignal, listener);
}
