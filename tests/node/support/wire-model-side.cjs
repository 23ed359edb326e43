// What both sides of the wire's model share: the compiled code of the package with its Atomics
// watched, a port that a schedule controls, and the words by which the two threads take turns.
//
// Loaded first on either thread: `base/intrinsics.js` takes the Atomics that it finds.

'use strict';

const { readFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');
const threads = require('node:worker_threads');

const dist = join(__dirname, '../../../dist/');
/** The most tasks, slots, steps and messages of a program. */
const kTasks = 16;
const kSlots = 8;
const kSteps = 4096;
const kMessages = 32;
/** A thread that does not get its turn back for so long, in ms, never will. */
const kTurnMs = 30_000;

// Words of the control memory.
const kTurn = 0;
const kCommand = 1;
const kWorkerDone = 2;
const kPendingKind = 3;
const kPendingIndex = 4;
const kHistory = 5; // and 6
const kStep = 7;
const kPrefix = 8;
const kAborting = 9;
const kFailed = 10;
/** By task: how often it ran, the mark that it was begun with, and whether it was asked to end. */
const kRan = 32;
const kMark = kRan + kTasks;
const kAsked = kMark + kTasks;
/** By slot: its entries that the worker has not read past. */
const kUnread = kAsked + kTasks;
/**
 * By direction: messages sent, messages delivered, and then the messages: the number of a big
 * value, or -1, how many words, and these.
 */
const kNet = kUnread + kSlots;
const kMessageWords = 10;
const kNetWords = 2 + kMessages * kMessageWords;
const kControlWords = kNet + 2 * kNetWords;

const kOwnersTurn = 0;
const kWorkersTurn = 1;
const kRun = 1;
const kDrain = 2;
const kQuit = 3;

const kKinds = ['load', 'store', 'add', 'exchange', 'compareExchange'];
const kPost = kKinds.length;
const kReceive = kPost + 1;
const kRead = kReceive + 1;

const original = { wait: Atomics.wait, notify: Atomics.notify };
/** Watches what is done to the channel's memory: `before(kind, index, args)`, `after(result)`. */
const watch = { buffer: null, hook: null };
kKinds.forEach((name, kind) => {
  const call = Atomics[name];
  original[name] = call;
  Atomics[name] = (cells, index, ...args) => {
    const { hook } = watch;
    if (hook === null || cells.buffer !== watch.buffer) return call(cells, index, ...args);
    hook.before(kind, index, args);
    const result = call(cells, index, ...args);
    hook.after(index, result);
    return result;
  };
});

const { receiveMessageOnPort } = threads;
threads.receiveMessageOnPort = (port) =>
  port instanceof ModelPort ? port.receive() : receiveMessageOnPort(port);

/** Thrown out of a step of a run that is of no more interest. */
class Abandoned extends Error {}

/**
 * The compiled modules, as new; `broken` is a list of { file, from, to } that are changed in their
 * text, each of which must be there.
 */
function load(broken = []) {
  for (const key of Object.keys(require.cache)) if (key.startsWith(dist)) delete require.cache[key];
  const plain = Module._extensions['.js'];
  Module._extensions['.js'] = (module, filename) => {
    let text = null;
    for (const { file, from, to } of broken) {
      if (filename !== join(dist, file)) continue;
      text ??= readFileSync(filename, 'utf8');
      if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`);
      text = text.replace(from, () => to);
    }
    if (text === null) plain(module, filename);
    else module._compile(text, filename);
  };
  try {
    return {
      ...require(join(dist, 'base/intrinsics.js')),
      ...require(join(dist, 'wire/channel.js')),
      ...require(join(dist, 'wire/carrier.js')),
      ...require(join(dist, 'wire/value-port.js')),
      ...require(join(dist, 'owner/slots.js')),
      ...require(join(dist, 'worker/inbox.js')),
      ...require(join(dist, 'worker/outbox.js')),
    };
  } finally {
    Module._extensions['.js'] = plain;
  }
}

/** A value that has no form in words. In the model's port it is its number. */
class Big {
  constructor(number) {
    this.number = number;
  }
}

/**
 * One end of a port between the threads, with the interface that `ValuePort` uses. What was sent
 * can be received once it is delivered: at once, or when the schedule says so.
 */
class ModelPort {
  #listener = null;
  #taken = 0;

  constructor(control, outgoing, incoming, delayed) {
    this.control = control;
    this.out = kNet + outgoing * kNetWords;
    this.in = kNet + incoming * kNetWords;
    this.delayed = delayed;
  }

  postMessage(value) {
    const { control, out } = this;
    watch.hook?.before(kPost, out, []);
    const at = out + 2 + control[out] * kMessageWords;
    if (value instanceof Big) {
      control[at] = value.number;
    } else {
      // Words for which the arena had no room.
      const words = new Int32Array(value[0]);
      if (words.length > kMessageWords - 2) throw new Error('What went by the port is too long');
      control.set([-1, words.length, ...words], at);
    }
    control[out]++;
    if (!this.delayed) control[out + 1]++;
    watch.hook?.after(out, 0);
  }

  receive() {
    if (this.delayed) watch.hook?.before(kReceive, this.in, []);
    const { control } = this;
    const has = control[this.in + 1] > this.#taken;
    if (this.delayed) watch.hook?.after(this.in, has ? 1 : 0);
    if (!has) return undefined;
    const at = this.in + 2 + this.#taken++ * kMessageWords;
    if (control[at] >= 0) return { message: new Big(control[at]) };
    const words = Int32Array.from(control.subarray(at + 2, at + 2 + control[at + 1]));
    return { message: [words.buffer] };
  }

  on(event, listener) {
    if (event === 'message') this.#listener = listener;
  }

  /** What the loop does between the steps of a program: an event, if a message is here. */
  event() {
    if (this.#listener === null) return;
    const received = this.receive();
    if (received !== undefined) this.#listener(received.message);
  }
}

/** A carrier that stops before it reads the words of a value as well. */
function steppedCarrier({ Carrier }) {
  return class extends Carrier {
    receive(slot) {
      watch.hook?.before(kRead, slot, []);
      const value = super.receive(slot);
      watch.hook?.after(slot, value?.number ?? -1);
      return value;
    }
  };
}

/** Waits for this thread's turn. */
function awaitTurn(control, mine) {
  for (;;) {
    const turn = original.load(control, kTurn);
    if (turn === mine) return;
    if (original.wait(control, kTurn, turn, kTurnMs) === 'timed-out') {
      throw new Error('The other side of the model does not answer');
    }
  }
}

function giveTurn(control, whose) {
  original.store(control, kTurn, whose);
  original.notify(control, kTurn);
}

/** Two hashes of a sequence of words, as one would collide now and then. */
function mix(hash, at, word) {
  hash[at] = Math.imul(hash[at] ^ word, 0x01000193) ^ (hash[at] >>> 13);
  hash[at + 1] = Math.imul(hash[at + 1] + word, 0x9e3779b1) ^ (hash[at + 1] >>> 15);
}

module.exports = {
  Abandoned,
  awaitTurn,
  Big,
  giveTurn,
  kAborting,
  kAsked,
  kCommand,
  kControlWords,
  kDrain,
  kFailed,
  kHistory,
  kKinds,
  kMark,
  kMessages,
  kNet,
  kNetWords,
  kOwnersTurn,
  kPendingIndex,
  kPendingKind,
  kPrefix,
  kQuit,
  kRan,
  kRun,
  kStep,
  kSteps,
  kTasks,
  kTurn,
  kUnread,
  kWorkerDone,
  kWorkersTurn,
  load,
  mix,
  ModelPort,
  original,
  steppedCarrier,
  watch,
};
