// One measurement in a process of its own: one scenario with one pool.
//
//   node child.mjs '{"scenario":"c64","pool":"piscina","round":1,"scale":1,"collectorPort":1234}'
//
// `checkout` in the job names the folder whose build of cenote is measured in place of this one's,
// `folder` the one in which a peer lies that comes with no package.
// Reports over IPC: {type:'result', figures, details} when it has measured, {type:'destroyed'} when
// the pool is gone, {type:'failed', invalid, message} when the pool gave a wrong answer or threw.
// It has no time-out of its own: the parent kills what does not come back.

import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { pools, threadsOf } from './pools.mjs';
import { scenarios } from './scenarios/index.mjs';
import { InvalidResult } from './lib/check.mjs';
import { startMeter } from './lib/cpu.mjs';

const job = JSON.parse(process.argv[2]);
const scenario = scenarios.find(({ name }) => name === job.scenario);
const pool = pools.find(({ name }) => name === job.pool);
const report = (message) => new Promise((sent) => process.send(message, sent));

async function fail(error) {
  const message = error instanceof Error ? error.stack : inspect(error);
  await report({ type: 'failed', invalid: error instanceof InvalidResult, message });
  process.exit(1);
}

process.on('disconnect', () => process.exit(1));
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

await pool.start({
  threads: threadsOf(pool),
  filename: fileURLToPath(new URL(`./tasks/${scenario.task}.cjs`, import.meta.url)),
  checkout: job.checkout,
  folder: job.folder,
});
const meter = startMeter(pool.run);
const figures = await scenario.run({
  run: meter.run,
  measured: meter.measured,
  round: job.round,
  scale: job.scale,
  collectorPort: job.collectorPort,
});
// Statistics pass through JSON: histograms and the like need not be cloneable.
const details = pool.details && JSON.parse(JSON.stringify(pool.details()));
await report({ type: 'result', figures: { ...figures, ...meter.figures() }, details });
await pool.destroy();
await report({ type: 'destroyed' });
process.exit(0);
