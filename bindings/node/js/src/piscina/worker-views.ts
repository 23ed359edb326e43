// What users see of the worker threads: one object for each, the same in every event and every call
// of the load balancer, and the way back from it to the thread.

import { SafeWeakMap } from '../base/intrinsics.js';
import type { WorkerHandle } from '../owner/worker-handle.js';
import { Times } from './histogram.js';
import type { PiscinaWorker } from './types.js';

export class WorkerViews {
  readonly #withHistogram: boolean;
  readonly #views = new SafeWeakMap<WorkerHandle, PiscinaWorker>();
  readonly #handles = new SafeWeakMap<object, WorkerHandle>();
  readonly #times = new SafeWeakMap<WorkerHandle, Times>();

  constructor(withHistogram: boolean) {
    this.#withHistogram = withHistogram;
  }

  of(handle: WorkerHandle): PiscinaWorker {
    let view = this.#views.get(handle);
    if (view === undefined) {
      view = createView(handle, this.#withHistogram ? this.#timesOf(handle) : null);
      this.#views.set(handle, view);
      this.#handles.set(view, handle);
    }
    return view;
  }

  /** The thread behind what a load balancer returned; null if that is none of this pool's. */
  handleOf(value: unknown): WorkerHandle | null {
    return typeof value === 'object' && value !== null ? (this.#handles.get(value) ?? null) : null;
  }

  record(handle: WorkerHandle, runMs: number): void {
    if (this.#withHistogram) this.#timesOf(handle).record(runMs);
  }

  #timesOf(handle: WorkerHandle): Times {
    let times = this.#times.get(handle);
    if (times === undefined) {
      times = new Times();
      this.#times.set(handle, times);
    }
    return times;
  }
}

/** Its properties are its own, so that they show in logs. */
function createView(handle: WorkerHandle, times: Times | null): PiscinaWorker {
  const view: PiscinaWorker = {
    get id() {
      return handle.threadId;
    },
    get currentUsage() {
      return view.isRunningAbortableTask ? Infinity : handle.inFlight;
    },
    get isRunningAbortableTask() {
      return handle.abortables > 0;
    },
    get histogram() {
      return times?.summary() ?? null;
    },
    // As in Piscina, the time between the order to end and the end belongs to `destroyed`.
    get terminating() {
      return false;
    },
    get destroyed() {
      return handle.state === 'leaving' || handle.state === 'exited';
    },
  };
  return view;
}
