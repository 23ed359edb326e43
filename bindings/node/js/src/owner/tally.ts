// What the threads that ended leave to a pool's totals.

import { Latencies } from './latencies.js';
import type { StageCounts } from '../wait/loop.js';
import type { WorkerHandle } from './worker-handle.js';
import { kStageNames } from '../wait/words.js';

export class Tally {
  readonly latencies = new Latencies();
  readonly stages = noStages();
  backgroundSettled = 0;
  backgroundRejected = 0;

  add(worker: WorkerHandle): void {
    this.latencies.add(worker.latencies);
    if (worker.stages !== null) addStages(this.stages, worker.stages);
    this.backgroundSettled += worker.backgroundSettled;
    this.backgroundRejected += worker.backgroundRejected;
  }
}

export function noStages(): StageCounts {
  return Object.fromEntries(kStageNames.map((name) => [name, 0])) as StageCounts;
}

export function addStages(sum: StageCounts, stages: StageCounts): void {
  for (const name of kStageNames) sum[name] += stages[name];
}
