// Where a run was made: what a reader needs to judge figures that depend on the machine.

import { availableParallelism, cpus, release, type } from 'node:os';

/** CPU model, usable CPUs, Node and system, time, and the variables that change how the pools wait. */
export function describeMachine() {
  const tuning = Object.entries(process.env).filter(([name]) => /^(CENOTE|PISCINA|UV|NODE_OPTIONS)/.test(name));
  return {
    cpu: cpus()[0]?.model ?? 'unknown CPU',
    cpus: availableParallelism(),
    node: process.version,
    system: `${type()} ${release()}`,
    date: new Date().toISOString(),
    tuning: tuning.map(([name, value]) => `${name}=${value}`),
  };
}

/** The same in one line. */
export function machineLine({ cpu, cpus: count, node, system, date, tuning }) {
  return [cpu, `${count} CPUs`, `Node ${node}`, system, date, ...tuning].join(' · ');
}
