// Memory of `pool.map()` over a long source: `node benches/node/map-memory.mjs [items]` (1,000,000
// unless told) maps numbers by a handler that returns them, and prints the heap after each tenth.
//
// Validated: each result is read once and in order.

import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from '../../dist/index.js';

const items = Number(process.argv[2] ?? 1_000_000);
if (!Number.isInteger(items) || items < 10) {
  console.error('The number of items must be a whole number, at least 10.');
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'cenote-map-'));
const filename = join(folder, 'echo.mjs');
writeFileSync(filename, 'export default (n) => n;\n');

function* numbers() {
  for (let n = 0; n < items; n++) yield n;
}

const mib = (bytes) => (bytes / 2 ** 20).toFixed(1).padStart(7);
const pool = new Pool({ filename, maxThreads: 2 });
await pool.ready();
const began = performance.now();
let next = 0;
console.log('      items  heap used, MiB  resident, MiB');
for await (const n of pool.map(numbers())) {
  if (n !== next++) throw new Error(`${n} came in place of ${next - 1}`);
  if (next % Math.ceil(items / 10) === 0 || next === items) {
    const { heapUsed, rss } = process.memoryUsage();
    console.log(`${String(next).padStart(11)}  ${mib(heapUsed)}         ${mib(rss)}`);
  }
}
if (next !== items) throw new Error(`${next} of ${items} came`);
const seconds = (performance.now() - began) / 1000;
console.log(`${Math.round(items / seconds / 1000)} thousand items a second`);
await pool.close();
rmSync(folder, { recursive: true });
