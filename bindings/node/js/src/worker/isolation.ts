// An async context for each task.
//
// What a handler leaves in its context (a store set with `AsyncLocalStorage.enterWith`, whatever a
// tracer hangs on the execution resource) is seen by what that handler started, and by no other
// task. On Node 20 and 22 stores lie on the resource that executes, so that a store outlives the
// call that set it for as long as the same resource goes on; from Node 24 on a frame of the context
// does. Both take the context of an AsyncResource when it is made. So each task has a new one, made
// where no code of the user's ever ran: in the scope of `clean`, which was made when this file was
// loaded.
//
// Its cost is about 40 ns a task, and 50 to 70 ns on Node 20 and 22 once an AsyncLocalStorage is in
// use. One resource for all tasks would cost 11 ns, and looking for stores on it afterwards 120
// more.

import { AsyncResource } from 'node:async_hooks';
import { PromiseResolve, uncurry } from '../base/intrinsics.js';
import { isPromiseLike, type Handler, type TaskContext } from './task-context.js';

const runIn = uncurry(
  AsyncResource.prototype.runInAsyncScope as (
    this: AsyncResource,
    call: unknown,
    receiver: unknown,
    ...args: unknown[]
  ) => unknown,
);

// A null prototype: the constructor reads options by name.
const kOptions = Object.freeze({ __proto__: null }) as object;
const clean = new AsyncResource('cenote', kOptions);
const make = (): AsyncResource => new AsyncResource('cenote.task', kOptions);

/** Calls a function of the user's in a context of its own. Throws what it throws. */
export function runAside<T>(call: () => T): T {
  return runIn(runIn(clean, make, undefined) as AsyncResource, call, undefined) as T;
}

/** Calls handlers, each in a context of its own. One object a worker. */
export class Isolation {
  /** Whether what {@link run} returned last is a promise of the result, and not the result. */
  pending = false;

  /**
   * Calls a handler, and throws what it throws. Without a context it is called with the task alone.
   * What the handler returned is adopted in its context, since that may call a `then` of the
   * user's: a promise that comes out of here is a native one.
   */
  run(handler: Handler, task: unknown, context: TaskContext | null): unknown {
    this.pending = false;
    const resource = runIn(clean, make, undefined) as AsyncResource;
    return runIn(resource, this.#call, undefined, handler, task, context);
  }

  readonly #call = (handler: Handler, task: unknown, context: TaskContext | null): unknown => {
    const value =
      context === null ? (handler as (task: unknown) => unknown)(task) : handler(task, context);
    if (!isPromiseLike(value)) return value;
    const promise = PromiseResolve(value);
    this.pending = true;
    return promise;
  };
}
