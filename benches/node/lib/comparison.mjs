// Two builds of cenote against each other: which processes run, and what their figures say.
//
// In each round both builds run a scenario one directly after the other. Which of them is the first
// changes from pair to pair, and for each pair from round to round. A round's ratio new/old is
// therefore little moved by what the machine does over minutes. The median of the rounds' ratios is
// what counts, and not the ratio of the medians, which may stem from different rounds.

import { summary } from './stats.mjs';
import { formatNumber } from './table.mjs';
import { columnsOf } from './tables.mjs';

/** With fewer rounds all ratios lie on one side too often by chance: with 5 once in 16 times. */
const kRoundsForVerdict = 5;

const rateHeads = {
  perSecond: 'thousand tasks/s',
  coldPerSecond: 'cold, thousand/s',
  warmPerSecond: 'warm, thousand/s',
};
const cpuHeads = {
  cpuNs: 'CPU µs a task',
  coldCpuNs: 'cold, CPU µs a task',
  warmCpuNs: 'warm, CPU µs a task',
};

/** The figures of a scenario, each with the head of its row: those in the tables, and CPU times. */
function rowsOf(scenario) {
  const shown = columnsOf(scenario).filter(({ metric }) => !(metric in cpuHeads));
  const cpu = Object.keys(cpuHeads).map((metric) => ({ metric, divide: 1000 }));
  return [...shown, ...cpu].map((column) => {
    const what = rateHeads[column.metric] ?? cpuHeads[column.metric];
    return {
      ...column,
      head: what ? `${scenario} ${what}` : column.head,
      higherIsBetter: column.metric in rateHeads,
    };
  });
}

/**
 * The jobs of a comparison, in their order.
 * @param against the folder whose build is the old one; the new one is this checkout's
 */
export function comparisonJobs({ rounds, scenarios, pools, scale, against }) {
  const jobs = [];
  for (let round = 1; round <= rounds; round++) {
    const kinds = scenarios.flatMap((scenario) => pools.map((pool) => [scenario.name, pool.name]));
    for (const [index, [scenario, pool]] of kinds.entries()) {
      const pair = [
        { scenario, pool, round, scale, build: 'old', checkout: against },
        { scenario, pool, round, scale, build: 'new' },
      ];
      jobs.push(...((round + index) % 2 ? pair : pair.reverse()));
    }
  }
  return jobs;
}

/** The figures of both builds in the rounds in which both were measured, oldest round first. */
function pairsOf(cells, scenario, pool) {
  const own = cells.filter(
    (cell) => cell.scenario === scenario && cell.pool === pool && cell.outcome === 'ok',
  );
  const newByRound = new Map(
    own.filter(({ build }) => build === 'new').map(({ round, figures }) => [round, figures]),
  );
  return own
    .filter(({ build, round }) => build === 'old' && newByRound.has(round))
    .map(({ round, figures }) => ({ old: figures, new: newByRound.get(round) }));
}

function verdict({ min, max }, rounds, higherIsBetter) {
  if (rounds < kRoundsForVerdict || (min <= 1 && max >= 1)) return '';
  return min > 1 === higherIsBetter ? 'better' : 'worse';
}

/**
 * One row for each figure of a scenario and pool that both builds gave.
 * @returns {Array<{ scenario, pool, metric, head, divide, rounds, old, new, ratio, verdict }>}
 * `old`, `new` and `ratio` (new/old) are { median, min, max } over the rounds; `verdict` is
 * 'better' or 'worse' where every round says so, and else empty.
 */
export function compareCells(cells) {
  const rows = [];
  const kinds = new Map(
    cells.map(({ scenario, pool }) => [`${scenario} ${pool}`, { scenario, pool }]),
  );
  for (const { scenario, pool } of kinds.values()) {
    const pairs = pairsOf(cells, scenario, pool);
    for (const { metric, head, divide = 1, higherIsBetter } of rowsOf(scenario)) {
      const measured = pairs.filter((pair) => pair.old[metric] > 0 && pair.new[metric] > 0);
      if (measured.length === 0) continue;
      const ratio = summary(measured.map((pair) => pair.new[metric] / pair.old[metric]));
      rows.push({
        scenario,
        pool,
        metric,
        head,
        divide,
        rounds: measured.length,
        old: summary(measured.map((pair) => pair.old[metric])),
        new: summary(measured.map((pair) => pair.new[metric])),
        ratio,
        verdict: verdict(ratio, measured.length, higherIsBetter),
      });
    }
  }
  return rows;
}

function withSpread({ median, min, max }, format) {
  return min === max ? format(median) : `${format(median)} (${format(min)}–${format(max)})`;
}

/** A table for each pool. */
export function comparisonTables(rows) {
  return [...new Set(rows.map(({ pool }) => pool))].map((pool) => ({
    title: pool,
    head: ['', 'old', 'new', 'new/old', ''],
    left: [4],
    rows: rows
      .filter((row) => row.pool === pool)
      .map((row) => [
        row.head,
        withSpread(row.old, (value) => formatNumber(value / row.divide)),
        withSpread(row.new, (value) => formatNumber(value / row.divide)),
        withSpread(row.ratio, (value) => value.toFixed(2)),
        row.verdict,
      ]),
  }));
}
