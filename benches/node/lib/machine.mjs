// Where a run was made: what a reader needs to judge figures that depend on the machine.

import { availableParallelism, cpus, loadavg, release, type } from 'node:os';

/**
 * CPU model, usable CPUs, Node and system, time, the load average of the last minute, and the
 * variables that change how the pools wait. To be called before the run, which is a load itself.
 */
export function describeMachine() {
  const tuning = Object.entries(process.env).filter(([name]) =>
    /^(CENOTE|PISCINA|UV|NODE_OPTIONS)/.test(name),
  );
  return {
    cpu: cpus()[0]?.model ?? 'unknown CPU',
    cpus: availableParallelism(),
    node: process.version,
    system: `${type()} ${release()}`,
    load: loadavg()[0],
    date: new Date().toISOString(),
    tuning: tuning.map(([name, value]) => `${name}=${value}`),
  };
}

/** Whether something else used the machine before the run: its figures then say little. */
export const wasBusy = ({ load, cpus: count }) => load > count / 4;

/** The machine in one line. */
export function machineLine({ cpu, cpus: count, node, system, date, tuning }) {
  return [cpu, `${count} CPUs`, `Node ${node}`, system, date, ...tuning].join(' · ');
}
