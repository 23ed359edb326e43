// What a TypeScript CommonJS module that was written for Piscina may write. Compiled, never run.

import Piscina = require('cenote/piscina');
import {
  FixedQueue,
  move,
  Piscina as Named,
  type Options,
  type PiscinaTask,
  type TaskQueue,
} from 'cenote/piscina';
import Default from 'cenote/piscina';
import * as all from 'cenote/piscina';

class Job {
  constructor(readonly n: number) {}
}

class Mine extends Piscina<Job, number> {
  override run(task: Job, options?: Piscina.RunOptions): Promise<number> {
    return super.run(task, options);
  }
}

const options: Options = { filename: __filename, taskQueue: new FixedQueue() };
const starred: all.Piscina<Job, number> = new all.Piscina<Job, number>({
  taskQueue: new all.FixedQueue(),
});
const queue: TaskQueue = new Piscina.ArrayTaskQueue();
const first: PiscinaTask | null = queue.shift() as PiscinaTask | null;
const named: Named<Job, number> = new Named<Job, number>(options);
const same: Piscina<Job, number> = new Default<Job, number>({
  ...options,
  loadBalancer: (_task, [worker]) => worker!,
});
const queueOptions: object | null | undefined = first?.[Piscina.queueOptionsSymbol];
const worker: Piscina.PiscinaWorker | undefined = undefined;

async function use(): Promise<number> {
  if (Piscina.isWorkerThread) return move(new ArrayBuffer(1)) === null ? 0 : 1;
  const results = [
    await new Mine(options).run(new Job(1)),
    await named.run(new Job(2)),
    await same.run(new Job(3)),
    await starred.run(new Job(4)),
  ];
  return (
    results.length +
    (first?.taskId ?? 0) +
    (queueOptions === null ? 1 : 0) +
    (worker === undefined ? 0 : 1)
  );
}

export = { use };
