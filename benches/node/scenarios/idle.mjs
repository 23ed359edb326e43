// idle: CPU of a pool that has worked and has nothing to do.
//
// Who cares: whoever pays for the machine by the CPU second, or runs many services on one.
// Measured: CPU time of the whole process per second of wall time, over 2.5 s without a task.
// Excluded: starting the pool, the load that warms it up, the half second after it (a spin may run
// out).
// Validated: the pool answers before and after the idle time.

import { setTimeout as sleep } from 'node:timers/promises';
import { echo, make, verify } from '../lib/small-object.mjs';
import { cpuMsPerSecond } from '../lib/cpu.mjs';

export default {
  name: 'idle',
  task: 'echo',
  metrics: { cpu: { label: 'CPU', unit: 'ms/s' } },
  async run({ run, scale }) {
    await echo(run, 64, 500 * scale);
    await sleep(500);
    const cpu = await cpuMsPerSecond(() => sleep(2500 * scale));
    verify(await run(make(0, 1)), 0, 1);
    return { cpu };
  },
};
