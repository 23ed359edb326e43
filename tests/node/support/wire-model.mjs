// A model checker for the slot protocol: runs the compiled code of both sides, each on a thread of
// its own, in every order of their accesses to the memory that they share.
//
// The owner's side runs here, the worker's in `wire-model-worker.cjs`; only one of them runs at any
// time. Either stops before each access by Atomics and each use of a port, and a schedule says who
// goes on. The schedules are searched depth first, each run from the start. A state that was seen
// before is not searched again: what is in the memory and in the ports, and what either side has
// observed so far, of which its own state is a function.
//
// Where ports are `delayed`, messages arrive when the schedule says so.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { deliver, isUnderWay, Owner } from './wire-model-owner.mjs';

const require = createRequire(import.meta.url);
const side = require('./wire-model-side.cjs');

const kAborted = 1;
/** The bytes in which errors come from the worker's side. */
const kFailureBytes = 4096;
/** Of the memory of a channel: room for a shape, and the smallest blocks of an arena. */
const kShapeWords = 16;
const kBlockWords = 32;
const kStore = side.kKinds.indexOf('store');

const shared = (words) => new Int32Array(new SharedArrayBuffer(words * 4));

/**
 * Searches all schedules of two programs. Gives `{ runs, states, failure }`, where `failure` is
 * null or the first that was found: `{ message, schedule }`.
 */
export async function explore({
  slots,
  owner,
  worker,
  arenaBlocks = slots,
  firstTail = 0,
  delayed = false,
  broken,
}) {
  const modules = side.load(broken);
  const memory = modules.createChannelMemory(slots, {
    shapeWords: kShapeWords,
    arenaWords: arenaBlocks * kBlockWords,
    firstTail,
  });
  const setup = {
    control: shared(side.kControlWords),
    prefix: new Uint8Array(new SharedArrayBuffer(side.kSteps)),
    failure: new Uint8Array(new SharedArrayBuffer(kFailureBytes)),
    memory,
    program: worker,
    broken,
    delayed,
  };
  const thread = new Worker(fileURLToPath(new URL('wire-model-worker.cjs', import.meta.url)), {
    workerData: setup,
    execArgv: [],
  });
  const failed = new Promise((_, reject) => thread.once('error', reject));
  failed.catch(() => {});
  await Promise.race([new Promise((resolve) => thread.once('online', resolve)), failed]);
  side.watch.buffer = memory.buffer;
  try {
    return new Search(modules, setup, slots, owner).all();
  } finally {
    side.watch.hook = null;
    setup.control[side.kCommand] = side.kQuit;
    side.giveTurn(setup.control, side.kWorkersTurn);
    await thread.terminate();
  }
}

class Search {
  #modules;
  #setup;
  #program;
  #control;
  #cells;
  #blank;
  #history = new Int32Array(2);
  #seen = new Set();
  #open = [[]];
  #runs = 0;

  constructor(modules, setup, slots, program) {
    this.#modules = modules;
    this.#setup = setup;
    this.#program = program;
    this.#control = setup.control;
    this.#cells = new Int32Array(setup.memory.buffer);
    this.#blank = this.#cells.slice();
  }

  all() {
    let failure = null;
    while (failure === null && this.#open.length > 0) {
      this.#runs++;
      failure = this.#run(this.#open.pop());
    }
    return { runs: this.#runs, states: this.#seen.size, failure };
  }

  /** One schedule that begins as given. */
  #run(begin) {
    const control = this.#control;
    const { prefix } = this.#setup;
    this.#cells.set(this.#blank);
    control.fill(0);
    prefix.set(begin);
    control[side.kPrefix] = begin.length;
    this.#history.fill(0);
    const owner = new Owner(this.#modules, this.#setup);
    let message = null;
    try {
      this.#command(side.kRun);
      side.watch.hook = this.#hook;
      owner.run(this.#program);
      this.#schedule(-1, 0);
      side.watch.hook = null;
      this.#checkWorker();
      for (let i = 0; i < 3; i++) {
        owner.deliverAll();
        this.#command(side.kDrain);
        this.#checkWorker();
        owner.deliverAll();
        owner.drain();
      }
      owner.check();
    } catch (error) {
      side.watch.hook = null;
      // What was abandoned fails in any way.
      if (control[side.kAborting] === 0) message = error.message;
    }
    control[side.kAborting] = kAborted;
    while (control[side.kWorkerDone] === 0) this.#letWorkerGo();
    if (message === null) return null;
    return { message, schedule: [...prefix.subarray(0, control[side.kStep])].join('') };
  }

  #command(command) {
    this.#control[side.kCommand] = command;
    this.#control[side.kWorkerDone] = 0;
    this.#letWorkerGo();
  }

  #letWorkerGo() {
    side.giveTurn(this.#control, side.kWorkersTurn);
    side.awaitTurn(this.#control, side.kOwnersTurn);
  }

  #checkWorker() {
    const length = this.#control[side.kFailed];
    if (length > 0) throw new Error(Buffer.from(this.#setup.failure.slice(0, length)).toString());
  }

  #hook = {
    before: (kind, index, args) => {
      if (this.#control[side.kAborting] !== 0) this.#abandon();
      this.#schedule(kind, index);
      this.#checkUse(kind, index, args);
    },
    after: (index, result) => {
      side.mix(this.#history, 0, index);
      side.mix(this.#history, 0, result);
    },
  };

  /** A slot is given a task, or what was one, only when it is free and its last entry was read. */
  #checkUse(kind, index, [state]) {
    const { kFree, kRevoked, kPosted, Channel } = this.#modules;
    if (kind !== kStore || (state !== kPosted && state !== kRevoked)) return;
    const channel = new Channel(this.#setup.memory);
    for (let slot = 0; slot < channel.slots; slot++) {
      if (channel.stateAt(slot) !== index) continue;
      if (this.#cells[index] !== kFree) throw new Error(`slot ${slot} is used, and not free`);
      if (this.#control[side.kUnread + slot]++ !== 0) {
        throw new Error(`slot ${slot} is used, and its last entry is unread`);
      }
    }
  }

  /** Lets others go on until the owner, which is about to do `kind` (-1: it is done), may. */
  #schedule(kind, index) {
    const control = this.#control;
    const { prefix } = this.#setup;
    for (;;) {
      const step = control[side.kStep];
      let choice;
      if (step < control[side.kPrefix]) {
        choice = prefix[step];
      } else {
        const options = this.#options(kind);
        if (options.length === 0) return;
        choice = options[0];
        if (options.length > 1) {
          const state = this.#state(kind, index);
          if (this.#seen.has(state)) this.#abandon();
          this.#seen.add(state);
          for (let i = 1; i < options.length; i++) {
            this.#open.push([...prefix.subarray(0, step), options[i]]);
          }
        }
        prefix[step] = choice;
      }
      control[side.kStep] = step + 1;
      if (choice === side.kOwnersTurn) return;
      if (choice === side.kWorkersTurn) this.#letWorkerGo();
      else deliver(control, choice - 2);
      this.#checkWorker();
    }
  }

  /** Who can go on: the owner, the worker, and the two directions of a port that has messages. */
  #options(kind) {
    const options = [];
    if (kind >= 0) options.push(side.kOwnersTurn);
    if (this.#control[side.kWorkerDone] === 0) options.push(side.kWorkersTurn);
    if (options.length === 0) return options;
    for (let direction = 0; direction < 2; direction++) {
      if (isUnderWay(this.#control, direction)) options.push(2 + direction);
    }
    return options;
  }

  /** Ends the run, which is of no more interest, by an error that the code may well catch. */
  #abandon() {
    this.#control[side.kAborting] = kAborted;
    throw new side.Abandoned();
  }

  #state(kind, index) {
    const hash = [0, 0];
    const cells = this.#cells;
    for (let i = 0; i < cells.length; i++) side.mix(hash, 0, cells[i]);
    const control = this.#control;
    for (let i = side.kRan; i < side.kControlWords; i++) side.mix(hash, 0, control[i]);
    for (let i = side.kWorkerDone; i < side.kStep; i++) side.mix(hash, 0, control[i]);
    return `${hash}:${this.#history}:${kind}:${index}`;
  }
}
