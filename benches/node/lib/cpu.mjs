// CPU time of the whole process, all its threads.

/**
 * Milliseconds of CPU, user and system, that the process used per second of wall time while `body`
 * ran.
 */
export async function cpuMsPerSecond(body) {
  const before = process.cpuUsage();
  const start = performance.now();
  await body();
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - start) / 1000;
  return (user + system) / 1000 / seconds;
}

/**
 * What a task costs in CPU time, however long the process waited for a CPU. `run` takes the place
 * of the pool's, `measured` runs a part of a scenario that counts and resolves with its result, and
 * `figures()` is the nanoseconds of CPU of the whole process per task of each such part: { cpuNs },
 * or { coldCpuNs, warmCpuNs } of parts that are named, or {} if there was none.
 */
export function startMeter(runTask) {
  let tasks = 0;
  const parts = new Map();
  return {
    run(task) {
      tasks++;
      return runTask(task);
    },
    async measured(body, part = '') {
      const tasksBefore = tasks;
      const before = process.cpuUsage();
      const result = await body();
      const { user, system } = process.cpuUsage(before);
      const sum = parts.get(part) ?? { us: 0, tasks: 0 };
      parts.set(part, { us: sum.us + user + system, tasks: sum.tasks + tasks - tasksBefore });
      return result;
    },
    figures: () =>
      Object.fromEntries(
        [...parts]
          .filter(([, sum]) => sum.tasks > 0)
          .map(([part, sum]) => [part ? `${part}CpuNs` : 'cpuNs', (sum.us * 1000) / sum.tasks]),
      ),
  };
}
