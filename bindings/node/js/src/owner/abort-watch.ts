// One listener for each abort signal, however many tasks it is given to.
//
// A listener a task would make Node warn of a leak from the eleventh on. The listener goes with the
// last task that settles, so a signal that lives long keeps nothing.
//
// A signal is an `AbortSignal`, whatever stands in for one, or an emitter of `abort`. It is the
// user's object: what it throws when the listener is taken off it, and what a callback throws, ends
// up as an uncaught exception, in a turn of its own, and keeps nobody else from being told.

import { queueMicrotask, SafeSet, SafeWeakMap } from '../base/intrinsics.js';

/** What an `AbortSignal` has, and whatever stands in for one. */
interface Abortable {
  addEventListener(name: 'abort', listener: () => void, options?: { once: boolean }): void;
  removeEventListener(name: 'abort', listener: () => void): void;
}

/** What an `EventEmitter` has. */
interface AbortEmitter {
  once(name: 'abort', listener: () => void): unknown;
  off(name: 'abort', listener: () => void): unknown;
  listenerCount?(name: 'abort'): number;
}

interface Watch {
  readonly callbacks: SafeSet<() => void>;
  readonly listener: () => void;
}

const watches = new SafeWeakMap<object, Watch>();

function safely(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function watch(signal: object, listen: (listener: () => void) => void): Watch {
  const callbacks = new SafeSet<() => void>();
  const listener = (): void => {
    if (watches.get(signal) === made) watches.delete(signal);
    callbacks.forEach(safely);
  };
  const made = { callbacks, listener };
  listen(listener);
  watches.set(signal, made);
  return made;
}

function join(
  signal: object,
  { callbacks, listener }: Watch,
  callback: () => void,
  unlisten: (listener: () => void) => void,
): () => void {
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return;
    if (watches.get(signal)?.callbacks !== callbacks) return;
    watches.delete(signal);
    safely(() => unlisten(listener));
  };
}

/** Calls `callback` when the signal is aborted; the function that it returns undoes that. */
export function onAbort(signal: Abortable, callback: () => void): () => void {
  const shared =
    watches.get(signal) ??
    watch(signal, (listener) => signal.addEventListener('abort', listener, kOnce));
  return join(signal, shared, callback, (listener) =>
    signal.removeEventListener('abort', listener),
  );
}

/** The same for an emitter. The parameter's name is in errors. */
export function onAbortEvent(abortSignal: AbortEmitter, callback: () => void): () => void {
  let shared = watches.get(abortSignal);
  // Somebody has taken all listeners off it.
  if (shared !== undefined && abortSignal.listenerCount?.('abort') === 0) shared = undefined;
  shared ??= watch(abortSignal, (listener) => void abortSignal.once('abort', listener));
  return join(abortSignal, shared, callback, (listener) => void abortSignal.off('abort', listener));
}

const kOnce = { __proto__: null, once: true } as unknown as { once: boolean };
