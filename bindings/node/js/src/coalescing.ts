// Calls that run one task between them (`coalesce`).
//
// 'share': while the task of a call has not settled, further calls with the key get its outcome. A
// caller that aborts leaves the others be; when the last has, the task is aborted.
//
// 'latest': of each key one task is in the pool, and one call waits for it to end: the newest. An
// older one that has not begun, in the pool or here, is superseded.
//
// Guarantee: each caller's promise settles once, whatever becomes of the others.

import { append, bareList, removeFrom, SafeMap } from './base/intrinsics.js';
import { callOf, type Request } from './calls.js';
import { AbortError, poolErrors, superseded } from './errors.js';
import { onAbort } from './owner/abort-watch.js';
import { rejectWithCallerStack } from './owner/caller-stack.js';
import { waitingCall, WaitingList, type Call, type Waiting } from './owner/waiting-line.js';

type Resolve = (value: unknown) => void;
type Reject = (error: unknown) => void;

/** What the front does for it. */
interface CoalescingHost {
  /** Rejects a task that has not begun. `false`: it has, or has ended. */
  withdraw(call: Call, error: () => unknown): boolean;
  abort(call: Call, reason: unknown): void;
}

interface Member {
  readonly resolve: Resolve;
  readonly reject: Reject;
  forget: (() => void) | null;
}

/** A task that several calls share. */
interface Shared {
  call: Call | null;
  readonly members: Member[];
}

/** A key of which the newest call runs. */
interface Newest {
  /** In the pool, or on its way there. */
  current: Call | null;
  next: Waiting | null;
}

export class Coalescing {
  readonly #host: CoalescingHost;
  readonly #shared = new SafeMap<string, Shared>();
  readonly #newest = new SafeMap<string, Newest>();
  readonly #waiting = new WaitingList();

  constructor(host: CoalescingHost) {
    this.#host = host;
  }

  /** Sends away what waits here, and says how many those were. */
  cancel(error: () => unknown): number {
    return this.#waiting.cancel(error, true);
  }

  /** Takes a call of a request that coalesces. `handOver` brings a task to the pool. */
  take(
    request: Request,
    payload: unknown,
    resolve: Resolve,
    reject: Reject,
    handOver: (call: Call) => void,
  ): void {
    const { key, mode } = request.coalesce!;
    const { url, exportName } = request.handler;
    const place = `${exportName}\0${url}\0${key}`;
    if (mode === 'share') this.#share(place, request, payload, resolve, reject, handOver);
    else this.#replace(place, key, callOf(request, payload, resolve, reject), handOver);
  }

  #share(
    place: string,
    request: Request,
    payload: unknown,
    resolve: Resolve,
    reject: Reject,
    handOver: (call: Call) => void,
  ): void {
    const { signal } = request;
    if (signal?.aborted === true) throw new AbortError(signal.reason);
    let shared = this.#shared.get(place);
    const isFirst = shared === undefined;
    shared ??= { call: null, members: bareList() };
    const member: Member = { resolve, reject, forget: null };
    if (isFirst) shared.call = this.#begin(place, shared, request, payload);
    append(shared.members, member);
    if (signal !== undefined) {
      const leaving = shared;
      member.forget = onAbort(signal, () => this.#leave(place, leaving, member, signal.reason));
    }
    if (isFirst) handOver(shared.call!);
  }

  #begin(place: string, shared: Shared, request: Request, payload: unknown): Call {
    const settle = (each: (member: Member, index: number) => void): void => {
      const { members } = shared;
      for (let i = 0; i < members.length; i++) {
        members[i]!.forget?.();
        each(members[i]!, i);
      }
      members.length = 0;
    };
    const call = callOf(
      { ...request, signal: undefined },
      payload,
      (value) => settle(({ resolve }) => resolve(value)),
      (error) => settle(({ reject }) => reject(error)),
    );
    // The error's stack is the first caller's: it is one error for all.
    call.task.failTo((error, where) =>
      settle((member, index) => {
        if (index === 0) rejectWithCallerStack(member.resolve, error, where);
        else member.reject(error);
      }),
    );
    // Whoever comes from now on begins anew.
    call.task.follow(() => this.#forget(place, shared));
    this.#shared.set(place, shared);
    return call;
  }

  #forget(place: string, shared: Shared): void {
    if (this.#shared.get(place) === shared) this.#shared.delete(place);
  }

  #leave(place: string, shared: Shared, member: Member, reason: unknown): void {
    if (!removeFrom(shared.members, member)) return;
    member.forget?.();
    member.reject(new AbortError(reason));
    if (shared.members.length > 0) return;
    this.#forget(place, shared);
    const call = shared.call!;
    if (!this.#host.withdraw(call, () => new AbortError(reason))) this.#host.abort(call, reason);
  }

  #replace(place: string, key: string, call: Call, handOver: (call: Call) => void): void {
    const newest = this.#newest.get(place) ?? { current: null, next: null };
    newest.next?.leave(superseded(key), 'cancelled');
    if (newest.current !== null) this.#host.withdraw(newest.current, () => superseded(key));
    if (newest.current === null) {
      this.#enter(place, newest, call, handOver);
      return;
    }
    const waiting = waitingCall(call, poolErrors, () => {
      newest.next = null;
      this.#enter(place, newest, call, handOver);
    });
    call.task.follow(() => {
      if (newest.next === waiting) newest.next = null;
    });
    newest.next = waiting;
    this.#newest.set(place, newest);
    this.#waiting.push(waiting);
  }

  #enter(place: string, newest: Newest, call: Call, handOver: (call: Call) => void): void {
    newest.current = call;
    this.#newest.set(place, newest);
    call.task.follow(() => {
      newest.current = null;
      const { next } = newest;
      if (next === null) {
        if (this.#newest.get(place) === newest) this.#newest.delete(place);
        return;
      }
      this.#waiting.remove(next);
      next.enter();
    });
    handOver(call);
  }
}
