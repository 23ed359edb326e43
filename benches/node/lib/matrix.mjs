// The whole run: rounds × scenarios × pools, one cell at a time.
//
// Within a round all pools run a scenario one after the other, so that what the machine does
// meanwhile hits them alike. The order is reversed from round to round, so that what drifts within
// a scenario favours none over two rounds, and rotated after every two, so that none is always at
// an end.

import { runCell } from './cell.mjs';

/** Whether `pool` (one of pools.mjs) takes part in `scenario`. */
const runsIn = ({ only, cannot }, scenario) =>
  (!only || only.includes(scenario)) && !cannot?.includes(scenario);

/** The pools in the order of `round`, which counts from 1. */
function inTurn(pools, round) {
  const by = Math.floor((round - 1) / 2);
  const rotated = pools.map((_, i) => pools[(i + by) % pools.length]);
  return round % 2 ? rotated : rotated.reverse();
}

/**
 * The jobs of a run, in their order.
 * @param folders where peers lie that come with no package, by the name that `--peer` gives them
 */
export function matrixJobs({ rounds, scenarios, pools, scale, collectorPort, folders = {} }) {
  const jobs = [];
  for (let round = 1; round <= rounds; round++) {
    for (const { name: scenario } of scenarios) {
      const taking = pools.filter((pool) => runsIn(pool, scenario));
      for (const { name: pool, given } of inTurn(taking, round))
        jobs.push({ scenario, pool, round, scale, collectorPort, folder: folders[given] });
    }
  }
  return jobs;
}

/**
 * @param onStart called with (job, index, total) before a cell, `onEnd` with (cell, index, total)
 * after it
 * @returns the cells, in the order in which they ran
 */
export async function runJobs(jobs, { onStart, onEnd }) {
  const cells = [];
  for (const [index, job] of jobs.entries()) {
    onStart(job, index, jobs.length);
    const cell = await runCell(job);
    cells.push(cell);
    onEnd(cell, index, jobs.length);
  }
  return cells;
}
