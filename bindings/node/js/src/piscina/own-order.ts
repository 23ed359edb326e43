// What a Piscina without a task queue of its user's shows as its `taskQueue`: how many tasks wait.
//
// The tasks themselves wait in the queue that a `Pool` has, for which priorities and groups count.

import { Schedule } from '../owner/schedule.js';
import { FixedQueue } from './queues.js';

export class OwnOrder extends FixedQueue {
  readonly schedule = new Schedule();

  override get size(): number {
    return this.schedule.length;
  }

  override isEmpty(): boolean {
    return this.schedule.length === 0;
  }
}
