// Handlers whose tasks carry something beside their payload: values, or a port for the parts of a
// stream, reports and input.
//
// Such a handler is wrapped once, when it is loaded, so that one whose tasks carry nothing pays
// nothing.

import { kStreams, type Carried } from '../wire/task-messages.js';
import { isPromiseLike, type Handler, type WorkerTaskContext } from './task-context.js';
import { TaskPort } from './task-port.js';
import { callWithValues } from './task-values.js';

/** The handler as it is called with what its tasks carry. `name` is for messages. */
export function withCarried(handler: Handler, carries: number, name: string): Handler {
  return (task, given) => {
    const [values, payload, port, window, hasInput] = task as Carried;
    const context = given as WorkerTaskContext;
    context.values = values;
    const call = (): unknown => handler(payload, context);
    if (port === undefined) return callWithValues(values, call);
    const taskPort = new TaskPort(port, window, hasInput, () => context.askToEnd());
    context.port = taskPort;
    return callWithValues(values, () =>
      (carries & kStreams) === 0 ? endWith(taskPort, call) : stream(taskPort, call, name),
    );
  };
}

/** The port is open until the result is there. */
function endWith(port: TaskPort, call: () => unknown): unknown {
  let isPending = false;
  try {
    const result = call();
    isPending = isPromiseLike(result);
    return isPending ? endLater(port, result as PromiseLike<unknown>) : result;
  } finally {
    if (!isPending) port.close();
  }
}

async function endLater(port: TaskPort, result: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await result;
  } finally {
    port.close();
  }
}

async function stream(port: TaskPort, call: () => unknown, name: string): Promise<void> {
  try {
    await port.sendAll(await call(), name);
  } finally {
    port.close();
  }
}
