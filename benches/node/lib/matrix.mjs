// The whole run: rounds × scenarios × pools, one cell at a time.
//
// Within a round all pools run a scenario one after the other, so that what the machine does
// meanwhile hits them alike; from round to round the order is rotated, so that none is always the
// first or next to the same one.

import { runCell } from './cell.mjs';

const rotated = (list, by) => list.map((_, i) => list[(i + by) % list.length]);

/**
 * @param onStart called with (job, index, total) before a cell, `onEnd` with (cell, index, total)
 * after it
 * @returns the cells, in the order in which they ran
 */
export async function runMatrix({
  rounds,
  scenarios,
  pools,
  scale,
  collectorPort,
  onStart,
  onEnd,
}) {
  const jobs = [];
  for (let round = 1; round <= rounds; round++) {
    for (const scenario of scenarios) {
      for (const pool of rotated(pools, round - 1)) {
        jobs.push({ scenario: scenario.name, pool: pool.name, round, scale, collectorPort });
      }
    }
  }
  const cells = [];
  for (const [index, job] of jobs.entries()) {
    onStart(job, index, jobs.length);
    const cell = await runCell(job);
    cells.push(cell);
    onEnd(cell, index, jobs.length);
  }
  return cells;
}
