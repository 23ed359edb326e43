// What crosses by a carrier is what a structured clone of the same value would be, whatever the
// value is: seen on random values. CENOTE_SEED repeats one that failed; CENOTE_LONG=1 tries many.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { runProgram, watched } from './support/behaviour.mjs';
import { withPollution } from './support/pollution.mjs';
import { examples } from './support/particular-values.mjs';
import { assertSame, objectsIn, randomValue } from './support/random-values.mjs';

const require = createRequire(import.meta.url);
const {
  Channel,
  createChannelMemory,
  kCloned,
  kClonedUntried,
  kInWords,
  kWordsByPort,
} = require('../../dist/wire/channel.js');
const { Carrier, Prospects } = require('../../dist/wire/carrier.js');
const { ValuePort } = require('../../dist/wire/value-port.js');

const kLongMs = 600_000;
const kSlots = 4;
const given = process.env.CENOTE_SEED;
const base = given === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(given);
const scale = process.env.CENOTE_LONG === '1' ? 50 : 1;

/** Sends values from one side to the other, by slots in turn. */
function openWire(t) {
  const channel = new Channel(createChannelMemory(kSlots));
  const { port1, port2 } = new MessageChannel();
  t.after(() => port1.close());
  const { toWorker, toOwner } = channel;
  const sender = new Carrier(channel, new ValuePort(port1, null), toWorker, toOwner);
  const receiver = new Carrier(channel, new ValuePort(port2, null), toOwner, toWorker);
  let slot = 0;
  return {
    inWords: 0,
    carry(value) {
      slot = (slot + 1) % kSlots;
      if (sender.send(slot, value, null, new Prospects()) >= 0) this.inWords++;
      return receiver.receive(slot);
    },
    sender,
    receiver,
  };
}

/** What a call gives or throws. */
function outcome(call) {
  try {
    return { value: call() };
  } catch (error) {
    return { error };
  }
}

function compare(carried, cloned) {
  if ('error' in cloned) {
    if (!('error' in carried)) assert.fail(`only the clone fails: ${String(cloned.error)}`);
    assert.equal(carried.error.name, cloned.error.name);
    assert.equal(carried.error.message, cloned.error.message);
  } else if ('error' in carried) {
    assert.fail(`the clone does not fail: ${carried.error.stack}`);
  } else {
    assertSame(carried.value, cloned.value);
  }
}

/** Compares a value with its clone, made of two that are the same; gives what arrived. */
function compareOne(wire, make, around = (call) => call()) {
  const expected = make();
  const actual = make();
  const cloned = outcome(() => structuredClone(expected.value));
  const carried = around(() => outcome(() => wire.carry(actual.value)));
  compare(carried, cloned);
  assert.deepEqual(actual.reads, expected.reads, 'the getters that were called');
  return carried.value;
}

/** Tries so many seeds, or the one that is given. */
function forSeeds(count, check) {
  const end = given === undefined ? base + count : base + 1;
  for (let seed = base; seed < end; seed++) {
    try {
      check(seed);
    } catch (error) {
      // Reporters print the stack of some errors, and the message of others.
      error.message = `CENOTE_SEED=${seed}: ${error.message}`;
      error.stack = `CENOTE_SEED=${seed}: ${error.stack}`;
      throw error;
    }
  }
}

test('random values arrive as their structured clones', { timeout: kLongMs }, (t) => {
  const wire = openWire(t);
  let before = new Set();
  forSeeds(20_000 * scale, (seed) => {
    const objects = objectsIn(compareOne(wire, () => randomValue(seed)));
    for (const object of objects) assert(!before.has(object), 'an object of another value');
    before = objects;
  });
  t.diagnostic(`${wire.inWords} in words`);
  if (given === undefined) assert(wire.inWords > 5_000 * scale);
});

test('random values arrive whatever became of prototypes', { timeout: kLongMs }, (t) => {
  const wire = openWire(t);
  // Each costs a hundred changes of prototypes.
  forSeeds(Math.min(2_000 * scale, 20_000), (seed) => {
    const touched = [];
    compareOne(
      wire,
      () => randomValue(seed, { mayMutate: false }),
      (call) => withPollution(touched, call),
    );
    assert.deepEqual(touched, []);
  });
});

for (const unit of ['a', 'é', 'Ж', '\ud800', '😀']) {
  for (
    let length = 0;
    length < 1100;
    length +=
      length < 40 || (length > 240 && length < 270) || (length > 495 && length < 520) ? 1 : 57
  ) {
    examples[`${length} of ${JSON.stringify(unit)}`] = () => [
      unit.repeat(length).slice(0, length),
      'end',
    ];
  }
}

test('particular values arrive as their structured clones', watched, (t) => {
  const wire = openWire(t);
  for (const [name, make] of Object.entries(examples)) {
    try {
      compareOne(wire, () => ({ value: make(), reads: [] }));
    } catch (error) {
      error.message = `${name}: ${error.message}`;
      throw error;
    }
  }
});

test('a namespace of a module is refused', watched, async (t) => {
  const wire = openWire(t);
  const value = await import('./support/pollution.mjs');
  compareOne(wire, () => ({ value, reads: [] }));
});

test('what a getter sends meanwhile arrives for itself', watched, (t) => {
  const { sender, receiver } = openWire(t);
  for (const inner of [7, 'text', { b: [2] }]) {
    const value = {
      a: 'before',
      get b() {
        sender.send(1, inner, null, new Prospects());
        return { c: 'behind' };
      },
    };
    sender.send(0, value, null, new Prospects());
    assert.deepEqual(receiver.receive(1), inner);
    assert.deepEqual(receiver.receive(0), { a: 'before', b: { c: 'behind' } });
  }
});

test('values arrive that do not fit beside the others', watched, (t) => {
  const wire = openWire(t);
  const make = (slot) => Array.from({ length: 1_500 }, (_, i) => ({ slot, i, t: `${slot} ${i}` }));
  // Each slot keeps its words until it is used again, or freed.
  for (let round = 0; round < 3; round++) {
    for (let slot = 0; slot < kSlots; slot++) {
      wire.sender.send(slot, make(slot), null, new Prospects());
    }
    for (let slot = 0; slot < kSlots; slot++) {
      assert.deepEqual(wire.receiver.receive(slot), make(slot));
      if (round > 0) wire.sender.free(slot);
    }
  }
  const paths = Array.from(wire.sender.sent.paths);
  assert.ok(paths[kInWords] > 0 && paths[kWordsByPort] > 0, `by path: ${paths}`);
  assert.deepEqual(paths, Array.from(wire.receiver.received.paths));
});

test('tables with ever new keys arrive, and shapes behind them', watched, (t) => {
  const wire = openWire(t);
  const long = 'k'.repeat(200);
  for (let i = 0; i < 20_000; i++) {
    const value = { [`key ${i}`]: i, [`${long}${i % 2000}`]: { same: i, [`x${i % 300}`]: 1 } };
    assert.deepEqual(wire.carry(value), value);
    if (i % 7 === 0) assert.deepEqual(wire.carry(value), value);
  }
});

test('values that are cloned now are not tried again at once, and are again later', (t) => {
  const wire = openWire(t);
  const prospects = new Prospects();
  class Point {
    x = 1;
  }
  const carry = (value) => {
    wire.sender.send(0, value, null, prospects);
    assert.deepEqual(wire.receiver.receive(0), { ...value });
  };
  for (let i = 0; i < 1000; i++) carry(new Point());
  let paths = Array.from(wire.sender.sent.paths);
  assert.ok(paths[kCloned] < 30 && paths[kClonedUntried] > 900, `by path: ${paths}`);
  for (let i = 0; i < 100; i++) carry({ x: 1 });
  paths = Array.from(wire.sender.sent.paths);
  assert.ok(paths[kInWords] >= 30, `by path: ${paths}`);
  assert.ok(wire.sender.sent.cloneMs > 0);
});

test('what was received is kept by nobody', watched, async () => {
  const { code, stderr } = await runProgram(
    `
    import assert from 'node:assert/strict';
    import { createRequire } from 'node:module';
    import { MessageChannel } from 'node:worker_threads';
    const require = createRequire(process.cwd() + '/');
    const { Channel, createChannelMemory } = require('./dist/wire/channel.js');
    const { Carrier, Prospects } = require('./dist/wire/carrier.js');
    const { ValuePort } = require('./dist/wire/value-port.js');
    const channel = new Channel(createChannelMemory(1));
    const { port1, port2 } = new MessageChannel();
    const { toWorker, toOwner } = channel;
    const sender = new Carrier(channel, new ValuePort(port1, null), toWorker, toOwner);
    const receiver = new Carrier(channel, new ValuePort(port2, null), toOwner, toWorker);
    const twice = { a: 1 };
    for (const make of [
      () => Buffer.alloc(100_000),
      () => [Buffer.alloc(100_000), Buffer.alloc(50_000)],
      () => ({ twice, again: twice }),
      () => Array.from({ length: 100_000 }, (_, i) => ({ i })),
      () => [new Error('cloned')],
    ]) {
      const carried = (() => {
        sender.send(0, make(), null, new Prospects());
        return new WeakRef(receiver.receive(0));
      })();
      for (let i = 0; i < 20 && carried.deref() !== undefined; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        globalThis.gc();
      }
      assert.equal(carried.deref(), undefined, String(make));
    }
    port1.close();
  `,
    { args: ['--expose-gc'] },
  );
  assert.equal(code, 0, stderr);
});

test('values arrive where the prototypes are frozen', watched, async () => {
  const { code, stderr } = await runProgram(`
    import assert from 'node:assert/strict';
    import { createRequire } from 'node:module';
    const require = createRequire(process.cwd() + '/');
    const { Channel, createChannelMemory } = require('./dist/wire/channel.js');
    const { Reader } = require('./dist/wire/codec-reader.js');
    const { Writer, kWritten } = require('./dist/wire/codec-writer.js');
    const { ShapeList, ShapeTree } = require('./dist/wire/shapes.js');
    Object.freeze(Object.prototype);
    Object.freeze(Array.prototype);
    const { cells, toWorker } = new Channel(createChannelMemory(1));
    const list = () => new ShapeList(cells, toWorker.shapesAt);
    const writer = new Writer(new ShapeTree(cells, toWorker.shapesAt, toWorker.arenaAt), list());
    const reader = new Reader(list());
    const value = { toString: 1, constructor: [2], hasOwnProperty: { valueOf: null } };
    // Often enough for a shape, and a literal of it.
    for (let i = 0; i < 100; i++) {
      assert.equal(writer.write(value), kWritten);
      assert.deepEqual(reader.read(writer.words, 0, []), value);
    }
  `);
  assert.equal(code, 0, stderr);
});
