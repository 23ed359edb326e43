// What a payload costs: to send it and to receive it, as the pool does it and as a structured clone
// through a port, in ns for each value.
//
// Both ends are on this thread, so nothing waits and nobody is woken: what is measured is what the
// threads of a pool pay. A task pays it twice, once for its value and once for its result, half of
// it on the pool's thread. Some values are in flight at any time, as in a busy pool.
//
// Usage, after `npm run build`, on an idle machine: node benches/node/payloads.mjs [--markdown]
//
// The figures are medians of several rounds, in which both ways alternate. Validated: the path that
// a value goes by, and that all arrive.

import { createRequire } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { renderMarkdown, renderText } from './lib/table.mjs';
import { record } from './lib/user-record.mjs';

const require = createRequire(import.meta.url);
const channels = require('../../dist/wire/channel.js');
const { Carrier, Prospects } = require('../../dist/wire/carrier.js');
const { ValuePort } = require('../../dist/wire/value-port.js');

const kRounds = 9;
/** Each measurement takes about so long. */
const kMeasureMs = 40;
const kInFlight = 8;

const order = (id) => ({
  sku: `sku-${id}`,
  count: id,
  price: id * 1.5,
  gift: { wrapped: id % 2 === 0, note: 'none' },
});
const customer = (id) => ({
  id,
  tags: ['a', 'b', 'c'],
  address: { street: `street ${id}`, city: 'Berlin', place: { lat: 52.5 + id, lon: 13.4 } },
  orders: Array.from({ length: 20 }, (_, i) => order(i)),
});
class Point {
  constructor(x) {
    this.x = x;
    this.y = 1;
  }
}
const list = (length, make) => Array.from({ length }, (_, i) => make(i));

const payloads = {
  'a number': (i) => i,
  'a string of 12': (i) => `user ${1_000_000 + (i & 63)}`,
  "{ a: 1, b: 'hello' }": () => ({ a: 1, b: 'hello' }),
  'two objects, 4 properties': (i) => ({ id: i, payload: { kind: 'resize', width: 200 } }),
  'a date and a map of 3': () => ({ at: new Date(0), map: new Map([[1, 2], [3, 4], [5, 6]]) }), // prettier-ignore
  '100 records': () => list(100, record),
  '5 nested records, 10 KiB': () => list(5, customer),
  '1,000 numbers': () => list(1000, (i) => i * 1.5),
  'a Float64Array of 1,000': () => new Float64Array(1000),
  'a string of 1 KiB': () => 'x'.repeat(1024),
  'a string of 1 MiB': () => 'x'.repeat(1024 * 1024),
  'a Buffer of 1 KiB': () => Buffer.allocUnsafeSlow(1024),
  'a Buffer of 64 KiB': () => Buffer.allocUnsafeSlow(64 * 1024),
  'a Buffer of 1 MiB': () => Buffer.allocUnsafeSlow(1024 * 1024),
  'an instance of a class': (i) => new Point(i),
};

const paths = ['shared', 'moved', 'full', 'cloned', 'cloned', 'transferred'];
const channel = new channels.Channel(channels.createChannelMemory(kInFlight));
const wire = new MessageChannel();
const plain = new MessageChannel();
const { toWorker, toOwner } = channel;
const sender = new Carrier(channel, new ValuePort(wire.port1, null), toWorker, toOwner);
const receiver = new Carrier(channel, new ValuePort(wire.port2, null), toOwner, toWorker);
let prospects = new Prospects();
export let sink;

const ways = {
  pool: {
    send: (slot, value) => sender.send(slot, value, null, prospects),
    receive(slot) {
      sink = receiver.receive(slot);
      sender.free(slot);
    },
  },
  clone: {
    send: (_slot, value) => plain.port1.postMessage(value),
    receive: () => (sink = receiveMessageOnPort(plain.port2).message),
  },
};

/** ns a value to send and to receive `batches` times what is in flight. */
function measure({ send, receive }, make, batches) {
  let sent = 0n;
  let received = 0n;
  for (let batch = 0; batch < batches; batch++) {
    const values = list(kInFlight, (i) => make(batch * kInFlight + i));
    const from = process.hrtime.bigint();
    for (let i = 0; i < kInFlight; i++) send(i, values[i]);
    const between = process.hrtime.bigint();
    for (let i = 0; i < kInFlight; i++) receive(i);
    received += process.hrtime.bigint() - between;
    sent += between - from;
  }
  return [sent, received].map((ns) => Number(ns) / (batches * kInFlight));
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const short = (ns) => (ns < 1000 ? `${ns.toFixed(0)} ns` : `${(ns / 1000).toFixed(1)} µs`);

function row(name, make) {
  prospects = new Prospects();
  const before = [...Array.from(sender.sent.paths)];
  const [sendNs, receiveNs] = measure(ways.clone, make, 20);
  const batches = Math.max(3, Math.round((kMeasureMs * 1e6) / ((sendNs + receiveNs) * kInFlight)));
  const rounds = { pool: [], clone: [] };
  for (let round = 0; round < kRounds; round++) {
    for (const way of round % 2 === 0 ? ['pool', 'clone'] : ['clone', 'pool']) {
      rounds[way].push(measure(ways[way], make, batches));
    }
  }
  const counts = Array.from(sender.sent.paths, (count, path) => count - before[path]);
  const path = paths[counts.indexOf(Math.max(...counts))];
  const of = (way, which) => median(rounds[way].map((times) => times[which]));
  const cells = ['pool', 'clone'].flatMap((way) => [short(of(way, 0)), short(of(way, 1))]);
  const ratio = (of('clone', 0) + of('clone', 1)) / (of('pool', 0) + of('pool', 1));
  return [name, path, ...cells, `${ratio.toFixed(1)} ×`];
}

const head = ['value', 'path', 'send', 'receive', 'clone: send', 'receive', 'clone / pool'];
const rows = Object.entries(payloads).map(([name, make]) => row(name, make));
const table = { title: 'What a payload costs', head, rows, left: [1] };
console.log(process.argv.includes('--markdown') ? renderMarkdown(table) : renderText(table));
wire.port1.close();
plain.port1.close();
