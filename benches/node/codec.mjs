// What it costs to write and to read a small value: as words in shared memory, as a structured
// clone alone in a message, and in a message with 15 others. In ns a value, the best of several
// rounds.
//
// Usage: node benches/node/codec.mjs        (after `npm run build`; nothing else should run)

import { createRequire } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const { Reader } = require('../../dist/wire/codec.js');
const { Writer, kWritten } = require('../../dist/wire/codec-writer.js');

const kRounds = 5;
const kValues = 160_000;
const kBatch = 16;
const kAreaWords = 128;

const values = {
  'a number': (i) => i,
  "{ a: 1, b: 'hello' }": () => ({ a: 1, b: 'hello' }),
  'two objects, 4 properties': (i) => ({ id: i, payload: { kind: 'resize', width: 200 } }),
  'an array of 4': () => [1, 2, 3, 'x'],
  '240 characters': () => 'hello world '.repeat(20),
};

const cells = new Int32Array(new SharedArrayBuffer(4 * kAreaWords));
const writer = new Writer(cells);
const reader = new Reader(cells);
const { port1, port2 } = new MessageChannel();
export let sink;

/** ns for each of `count` values. */
function time(count, body) {
  const from = process.hrtime.bigint();
  for (let i = 0; i < count; i++) sink = body(i);
  return Number(process.hrtime.bigint() - from) / count;
}

const ways = {
  codec(make) {
    const written = time(kValues, (i) => {
      if (writer.write(make(i), 0, kAreaWords) !== kWritten) throw new Error('it does not fit');
    });
    return [written, time(kValues, () => reader.read(0))];
  },
  alone(make) {
    const count = kValues / kBatch;
    const posted = time(count, (i) => port1.postMessage(make(i)));
    return [posted, time(count, () => receiveMessageOnPort(port2))];
  },
  batched(make) {
    const count = kValues / kBatch;
    const posted = time(count, (i) => {
      port1.postMessage(Array.from({ length: kBatch }, () => make(i)));
    });
    const read = time(count, () => receiveMessageOnPort(port2));
    return [posted / kBatch, read / kBatch];
  },
};

console.log(
  'ns a value, write / read'.padEnd(28),
  ...Object.keys(ways).map((way) => way.padStart(12)),
);
for (const [name, make] of Object.entries(values)) {
  const best = Object.values(ways).map(() => [Infinity, Infinity]);
  for (let round = 0; round < kRounds; round++) {
    Object.values(ways).forEach((way, i) => {
      best[i] = way(make).map((ns, j) => Math.min(ns, best[i][j]));
    });
  }
  const cells = best.map(([write, read]) =>
    `${write.toFixed(0)} / ${read.toFixed(0)}`.padStart(12),
  );
  console.log(name.padEnd(28), ...cells);
}
port1.close();
