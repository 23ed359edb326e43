// Numbers that a test shares with worker processes, as it shares memory with threads.
//
// The behaviour tests steer their tasks through an `Int32Array` on shared memory. Where the
// environment says that workers are processes (`CENOTE_RUNTIME=process`), what lies behind that
// array in its buffer names a file, and `Atomics` reads and writes there. So the same tests run
// over both. A copy of the array, which is what a task gets, is as good as the array.
//
// What a test reads or writes without `Atomics` is the file's when something comes from a process
// or goes to one, and when `refresh` is called.
'use strict';

const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { Duplex } = require('node:stream');

const kMark = 0x776f7264;
const kBytes = Int32Array.BYTES_PER_ELEMENT;
/** Elements behind those of a test: the mark, the process that made the file, and its number. */
const kKey = 3;
/** Whoever holds a lock for so long, in ms, was killed meanwhile. */
const kLockMs = 2_000;
const real = { ...Object.fromEntries(names().map((name) => [name, Atomics[name]])) };
const sleeper = new Int32Array(new SharedArrayBuffer(kBytes));
const files = new Map();
let made = 0;

function names() {
  return ['load', 'store', 'add', 'sub', 'or', 'exchange', 'compareExchange', 'notify', 'wait'];
}

/** Whether workers are processes in this run. */
exports.overProcesses = process.env.CENOTE_RUNTIME === 'process';

/** Those that this process made, to be refreshed. */
const own = [];

/** Numbers, all 0, in a file. */
exports.wordsInFile = function wordsInFile(count) {
  const words = new Int32Array(new ArrayBuffer((count + kKey) * kBytes), 0, count);
  new Int32Array(words.buffer, count * kBytes).set([kMark, process.pid, ++made]);
  const path = pathOf(words);
  fs.writeFileSync(path, Buffer.alloc(count * kBytes));
  process.on('exit', () => fs.rmSync(path, { force: true }));
  own.push({ words, seen: words.slice(), bytes: new Uint8Array(count * kBytes) });
  return words;
};

/** Makes all words that this process made, and their files, the same. */
exports.refresh = function refresh() {
  for (const { words, seen, bytes } of own) {
    for (let at = 0; at < words.length; at++) {
      if (words[at] !== seen[at]) store(words, at, words[at]);
    }
    fs.readSync(fileOf(words).fd, bytes, 0, bytes.length, 0);
    words.set(new Int32Array(bytes.buffer));
    seen.set(words);
  }
};

const keyOf = (words) => new Int32Array(words.buffer, words.byteLength);

function isKey(words) {
  const { buffer, byteLength } = words;
  if (!(words instanceof Int32Array) || buffer instanceof SharedArrayBuffer) return false;
  return buffer.byteLength === byteLength + kKey * kBytes && keyOf(words)[0] === kMark;
}

function pathOf(words) {
  const [, pid, number] = keyOf(words);
  return join(tmpdir(), `cenote-words-${pid}-${number}`);
}

function fileOf(words) {
  const path = pathOf(words);
  if (!files.has(path)) files.set(path, fs.openSync(path, 'r+'));
  return { path, fd: files.get(path) };
}

function load(words, at) {
  const bytes = Buffer.alloc(kBytes);
  fs.readSync(fileOf(words).fd, bytes, 0, kBytes, at * kBytes);
  return bytes.readInt32LE();
}

function store(words, at, value) {
  const bytes = Buffer.alloc(kBytes);
  bytes.writeInt32LE(value | 0);
  fs.writeSync(fileOf(words).fd, bytes, 0, kBytes, at * kBytes);
}

function update(words, at, next) {
  const lock = `${fileOf(words).path}.lock`;
  for (const from = Date.now(); ; real.wait.call(Atomics, sleeper, 0, 0, 1)) {
    try {
      fs.closeSync(fs.openSync(lock, 'wx'));
      break;
    } catch {
      if (Date.now() - from > kLockMs) break;
    }
  }
  try {
    const value = load(words, at);
    store(words, at, next(value));
    return value;
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

const inFile = {
  load,
  store: (words, at, value) => (store(words, at, value), value),
  add: (words, at, by) => update(words, at, (value) => value + by),
  sub: (words, at, by) => update(words, at, (value) => value - by),
  or: (words, at, bits) => update(words, at, (value) => value | bits),
  exchange: (words, at, next) => update(words, at, () => next),
  compareExchange: (words, at, from, to) =>
    update(words, at, (value) => (value === from ? to : value)),
  // Whoever waits looks.
  notify: () => 0,
  wait(words, at, value, ms = Infinity) {
    const until = Date.now() + ms;
    let is = load(words, at);
    for (; is === value && Date.now() < until; is = load(words, at))
      real.wait.call(Atomics, sleeper, 0, 0, 1);
    exports.refresh();
    return is === value ? 'timed-out' : 'ok';
  },
};

if (exports.overProcesses) {
  process.setMaxListeners(0);
  // All of that crosses by a stream.
  const { emit } = EventEmitter.prototype;
  EventEmitter.prototype.emit = function (...args) {
    if (args[0] === 'data' || args[0] === 'exit') exports.refresh();
    return emit.apply(this, args);
  };
  const { write } = Duplex.prototype;
  Duplex.prototype.write = function (...args) {
    exports.refresh();
    return write.apply(this, args);
  };
  for (const name of names()) {
    Atomics[name] = function (words, ...args) {
      const call = isKey(words) ? inFile[name] : real[name];
      return call.call(Atomics, words, ...args);
    };
  }
}
