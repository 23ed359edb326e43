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
 * of the pool's, `measured` runs the part of a scenario that counts and resolves with its result,
 * and `figures()` is { cpuNs }: nanoseconds of CPU of the whole process per task of that part, or
 * {} if there was none.
 */
export function startMeter(runTask) {
  let tasks = 0;
  let measuredTasks = 0;
  let measuredUs = 0;
  return {
    run(task) {
      tasks++;
      return runTask(task);
    },
    async measured(body) {
      const tasksBefore = tasks;
      const before = process.cpuUsage();
      const result = await body();
      const { user, system } = process.cpuUsage(before);
      measuredUs += user + system;
      measuredTasks += tasks - tasksBefore;
      return result;
    },
    figures: () => (measuredTasks > 0 ? { cpuNs: (measuredUs * 1000) / measuredTasks } : {}),
  };
}
