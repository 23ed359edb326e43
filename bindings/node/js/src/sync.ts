// `pool.runSync()`: a task whose caller's thread blocks until it has ended.
//
// The thread waits on its own wait word, as a loop that sleeps does, and is rung by whoever
// publishes for it (wait/loop.ts); between two waits it does what its event loop would do for the
// pool. Nothing else of the loop runs: no timers, no other pool's results, no events of workers. So
// a worker that ends says so in shared memory, where it still can.
//
// Guarantee: it returns, or throws, once the task has settled or its time is over.

import { AtomicsLoad, MathMax, MathMin, now } from './base/intrinsics.js';
import type { Request } from './calls.js';
import { callOf } from './calls.js';
import { poolErrors } from './errors.js';
import type { Front } from './front.js';
import { appendCallers } from './owner/caller-stack.js';
import type { Dispatcher } from './owner/dispatcher.js';
import type { Task } from './owner/task.js';
import { thisLoop } from './wait/loop.js';
import { kEnded } from './wire/channel.js';

/** How long it waits before it looks by itself, in ms: what waits for output tells nobody. */
const kLookMs = 20;
/** Where threads cannot ring each other, it looks this often. */
const kLookPortableMs = 0.5;

interface Outcome {
  readonly failed: boolean;
  readonly value: unknown;
  readonly where: string;
}

export function runSync(
  dispatcher: Dispatcher,
  front: Front,
  request: Request,
  payload: unknown,
  below: (...args: never[]) => unknown,
): unknown {
  let outcome: Outcome | null = null;
  const fail = (value: unknown, where: string): void => {
    outcome ??= { failed: true, value, where };
  };
  // Timers do not fire meanwhile: the limits are looked at here.
  const call = callOf(
    { ...request, limits: null, signal: undefined },
    payload,
    (value) => (outcome ??= { failed: false, value, where: '' }),
    (error) => fail(error, ''),
  );
  const { task } = call;
  task.failTo(fail);
  const ended = (): Outcome | null => outcome;
  front.submit(call);
  wait(dispatcher, request, task, ended);
  const { failed, value, where } = ended()!;
  if (!failed) return value;
  appendCallers(value, where, below, true);
  throw value;
}

function wait(
  dispatcher: Dispatcher,
  { limits }: Request,
  task: Task,
  ended: () => Outcome | null,
): void {
  const { crew, flow, deadlines } = dispatcher;
  const runMs = limits?.runMs ?? Infinity;
  const endsAt = now() + runMs;
  const lookMs = thisLoop.address.station === 0 ? kLookPortableMs : kLookMs;
  for (;;) {
    const seen = thisLoop.epoch;
    for (let i = 0; i < crew.all.length; i++) crew.all[i]!.catchUp();
    flow.flushNow();
    if (ended() !== null) return;
    if (hasLostWorker(task)) {
      const { threadId } = task.holder!;
      task.reject(poolErrors.lost({ threadId, exitCode: 0, error: undefined }, true));
    } else if (now() >= endsAt) {
      deadlines.expire(task, runMs);
    } else {
      thisLoop.block(seen, MathMax(0, MathMin(lookMs, endsAt - now())));
    }
  }
}

/** Whether the worker of a task has ended, as far as it could say so. */
function hasLostWorker({ holder }: Task): boolean {
  return holder !== null && AtomicsLoad(holder.body.channel.cells, kEnded) === 1;
}
