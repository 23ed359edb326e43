// Two builds of cenote in one run, alternating: has a change made it slower? README.md says how to
// read it.
//
//   node benches/node/compare.mjs --against DIR [--rounds N]
//
// The old build is the one in DIR, the new one is this checkout's; scenarios, handlers and the rest
// of the harness are this checkout's for both. Ends with 1 if either build gave a wrong result,
// failed or hung, with 2 if the command line cannot be followed, else with 0, whatever the ratios
// are.

import { compareCells, comparisonJobs, comparisonTables } from './lib/comparison.mjs';
import { describeMachine, machineLine } from './lib/machine.mjs';
import { runJobs } from './lib/matrix.mjs';
import { compareUsage, parseCompareOptions, UsageError } from './lib/options.mjs';
import { kCheckout, lookUp } from './lib/packages.mjs';
import { startProgress } from './lib/progress.mjs';
import { remarks } from './lib/report.mjs';
import { writeResults } from './lib/results.mjs';
import { surroundingsText, withSurroundings } from './lib/surroundings.mjs';
import { renderText } from './lib/table.mjs';
import { pools } from './pools.mjs';
import { scenarios } from './scenarios/index.mjs';

const metricsOf = (scenario) => scenarios.find(({ name }) => name === scenario).metrics;

/** Under this name a job or a cell is shown. */
const labelled = (cell) => ({ ...cell, pool: `${cell.pool} (${cell.build})` });

/** Version and folder of the build that `checkout` gives. */
function find(checkout, chosen) {
  for (const pool of chosen) {
    const found = lookUp(pool, { checkout });
    if (found.missing) throw new UsageError(`${checkout}: ${pool.module} is ${found.missing}`);
  }
  return lookUp(chosen[0], { checkout });
}

async function compare(options) {
  const builds = {
    old: find(options.against, options.pools),
    new: find(kCheckout, options.pools),
  };
  const machine = describeMachine();
  const progress = startProgress(process.stderr, { rounds: options.rounds, metricsOf });
  const { result: cells, ...surroundings } = await withSurroundings(() =>
    runJobs(comparisonJobs(options), {
      onStart: (job, ...place) => progress.onStart(labelled(job), ...place),
      onEnd: (cell, ...place) => progress.onEnd(labelled(cell), ...place),
    }),
  );
  progress.end();
  const { rounds, scale } = options;
  return { machine, builds, rounds, scale, ...surroundings, rows: compareCells(cells), cells };
}

function report({ machine, builds, rounds, scale, rows, cells, ...surroundings }) {
  const build = ({ version, folder }) => `${version}, ${folder}`;
  return [
    ...comparisonTables(rows).map(renderText),
    ...remarks({ cells: cells.map(labelled), skipped: [], machine }),
    [
      `old: ${build(builds.old)}`,
      `new: ${build(builds.new)}`,
      `${rounds} round${rounds > 1 ? 's' : ''}${scale === 1 ? '' : `, durations × ${scale}`}. ` +
        'Medians; smallest to largest in brackets.',
      'new/old: the median of the ratios of each round. Rates: higher is better; all else: lower.',
    ].join('\n'),
    `${surroundingsText(surroundings)}\n${machineLine(machine)}`,
  ].join('\n\n');
}

async function main(args) {
  const options = parseCompareOptions(args, { scenarios, pools });
  if (options.help) {
    process.stdout.write(`${compareUsage}\n`);
    return 0;
  }
  const results = await compare(options);
  process.stdout.write(`\n${report(results)}\n`);
  if (options.json) writeResults(options.json, results);
  return results.cells.some(({ outcome, destroyHung }) => outcome !== 'ok' || destroyHung) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${compareUsage}\n`);
  process.exitCode = 2;
}
