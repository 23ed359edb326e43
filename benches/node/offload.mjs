// What a hop costs a handler that is cheaper than it: the same handler called directly, by
// `pool.run()`, and by `run(task, { offload: 'auto' })`, in turns.
//
// Usage: node benches/node/offload.mjs [rounds] [rows]
//
// Prints the median of the rounds' medians, and their spread, in µs a call.

import { fileURLToPath } from 'node:url';
import { Pool } from 'cenote';
import { render } from './tasks/render.mjs';

const rounds = Number(process.argv[2] ?? 7);
const kCalls = 2_000;

const filename = fileURLToPath(new URL('./tasks/render.mjs', import.meta.url));
const pool = new Pool({ filename, name: 'render', minThreads: 1, maxThreads: 1 });
const kRows = Number(process.argv[3] ?? 16);

const ways = {
  'called directly': (task) => render(task),
  'pool.run()': (task) => pool.run(task),
  "offload: 'auto'": (task) => pool.run(task, { offload: 'auto' }),
};

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function measure(call) {
  const times = [];
  for (let n = 0; n < kCalls; n++) {
    const start = performance.now();
    await call(kRows);
    times.push((performance.now() - start) * 1_000);
  }
  return median(times);
}

await pool.ready();
for (const call of Object.values(ways)) await measure(call);
const results = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
for (let round = 0; round < rounds; round++)
  for (const [way, call] of Object.entries(ways)) results[way].push(await measure(call));
for (const [way, values] of Object.entries(results)) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const figures = [median(values), least, most].map((value) => value.toFixed(1));
  console.log(`${way.padEnd(16)} ${figures[0].padStart(7)} µs  (${figures[1]} to ${figures[2]})`);
}
const [advice] = pool.advise();
console.log(`run ${(advice.runMs * 1e3).toFixed(1)} µs, hop ${(advice.hopMs * 1e3).toFixed(1)} µs`);
await pool.close();
