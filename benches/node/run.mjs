// `npm run bench`: cenote and its peers side by side. README.md says what each figure claims.
//
// Every scenario runs with every pool in a process of its own, in rounds; figures are medians over
// the rounds. Ends with 0 whether or not the bars are met, with 1 if cenote gave a wrong result,
// failed or hung, with 2 if the command line cannot be followed.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startCollector } from './collector.mjs';
import { bars, judge } from './lib/bars.mjs';
import { describeMachine } from './lib/machine.mjs';
import { matrixJobs, runJobs } from './lib/matrix.mjs';
import { lookUp } from './lib/packages.mjs';
import { parseOptions, usage, UsageError } from './lib/options.mjs';
import { startProgress } from './lib/progress.mjs';
import { markdownReport, textReport } from './lib/report.mjs';
import { readResults, writeResults } from './lib/results.mjs';
import { summarise } from './lib/summarise.mjs';
import { withSurroundings } from './lib/surroundings.mjs';
import { pools, threadsOf } from './pools.mjs';
import { scenarios } from './scenarios/index.mjs';

const kLatest = fileURLToPath(new URL('./results/latest.json', import.meta.url));

const peers = pools.filter((pool) => pool.peer).map((pool) => pool.name);
const metricsOf = (scenario) => scenarios.find(({ name }) => name === scenario).metrics;

async function measure(options) {
  const machine = describeMachine();
  const available = [];
  const skipped = [];
  const versions = {};
  for (const pool of options.pools) {
    const { version, missing } = lookUp(pool, { folder: options.folders[pool.given] });
    if (missing) {
      skipped.push({ pool: pool.name, reason: missing });
      process.stderr.write(`${pool.name} is skipped: ${missing}\n`);
      continue;
    }
    available.push(pool);
    if (pool.module) versions[pool.peer ? pool.module : 'cenote'] = version;
  }

  const collector = await startCollector();
  const progress = startProgress(process.stderr, { rounds: options.rounds, metricsOf });
  const jobs = matrixJobs({ ...options, pools: available, collectorPort: collector.port });
  const { result: cells, ...surroundings } = await withSurroundings(() => runJobs(jobs, progress));
  progress.end();
  collector.close();

  const medians = summarise(cells);
  return {
    machine,
    surroundings,
    versions,
    rounds: options.rounds,
    quick: options.quick,
    pools: available.map((pool) => pool.name),
    workers: Object.fromEntries(available.map((pool) => [pool.name, threadsOf(pool)])),
    skipped,
    medians,
    bars: bars.map((bar) => ({ ...bar, ...judge(bar, medians, peers) })),
    cells,
  };
}

async function main(args) {
  const options = parseOptions(args, { scenarios, pools });
  if (options.help) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  const results = options.from ? readResults(options.from) : await measure(options);
  process.stdout.write(`\n${textReport(results, { peers, metricsOf })}\n`);
  if (options.markdown)
    writeFileSync(options.markdown, markdownReport(results, { peers, metricsOf }));
  if (options.json) writeResults(options.json, results);
  if (options.from) return 0;
  writeResults(kLatest, results);
  process.stdout.write(`\nAll figures: ${kLatest}\n`);
  const broken = ({ pool, outcome, destroyHung }) =>
    !peers.includes(pool) && (outcome !== 'ok' || destroyHung);
  return results.cells.some(broken) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${usage}\n`);
  process.exitCode = 2;
}
