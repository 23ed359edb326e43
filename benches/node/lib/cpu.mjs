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
