// One listener for each abort signal, however many tasks it is given to.
//
// A listener a task would make Node warn of a leak from the eleventh on. The listener goes with the
// last task that settles, so a signal that lives long keeps nothing.

/** What an `AbortSignal` has, and whatever stands in for one. */
export interface Abortable {
  addEventListener(name: 'abort', listener: () => void, options?: { once: boolean }): void;
  removeEventListener(name: 'abort', listener: () => void): void;
}

interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<Abortable, Watch>();

function watch(signal: Abortable): Watch {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    watches.delete(signal);
    for (const callback of callbacks) callback();
  };
  signal.addEventListener('abort', listener, { once: true });
  const made = { callbacks, listener };
  watches.set(signal, made);
  return made;
}

/** Calls `callback` when the signal is aborted; the function that it returns undoes that. */
export function onAbort(signal: Abortable, callback: () => void): () => void {
  const { callbacks, listener } = watches.get(signal) ?? watch(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size > 0 || watches.get(signal)?.callbacks !== callbacks) return;
    watches.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}
