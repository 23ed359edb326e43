// The owner's side of the wire's model: the steps of its programs, and what must be so when all is
// over.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const side = require('./wire-model-side.cjs');

const netAt = (direction) => side.kNet + direction * side.kNetWords;

/** Whether a port has messages that have not arrived. */
export function isUnderWay(control, direction) {
  return control[netAt(direction) + 1] < control[netAt(direction)];
}

export function deliver(control, direction) {
  control[netAt(direction) + 1]++;
}

export class Owner {
  #modules;
  #control;
  #slots;
  #count;
  #port;
  #delayed;
  #program = [];
  #tasks = [];
  #observed = [];

  constructor(modules, { control, memory, delayed }) {
    this.#modules = modules;
    this.#control = control;
    this.#delayed = delayed;
    this.#count = memory.slots;
    const channel = new modules.Channel(memory);
    this.#port = new side.ModelPort(control, 0, 1, delayed);
    const values = new modules.ValuePort(this.#port, delayed ? () => {} : null);
    const Carrier = side.steppedCarrier(modules);
    const { toWorker, toOwner } = channel;
    this.#slots = new modules.Slots(channel, new Carrier(channel, values, toWorker, toOwner));
  }

  run(program) {
    this.#program = program;
    for (const [step, ...args] of program) {
      if (this.#delayed) this.#port.event();
      this[step](...args);
    }
  }

  // Steps of a program

  /** A task whose value goes in words, or by the `port`; nothing if there is no room for it. */
  post(id, how = 'words') {
    if (!this.#slots.hasRoom(1, how === 'words' ? 0 : 1)) return;
    const task = this.#task(id);
    task.payload =
      how === 'words'
        ? { number: id }
        : how === 'port'
          ? new side.Big(id)
          : this.#takenBackWhileRead(task);
    this.#slots.post(task, 0);
  }

  /** A payload whose getter takes its own task back. */
  #takenBackWhileRead(task) {
    const { number } = task.handler;
    const slots = this.#slots;
    return {
      get number() {
        if (!slots.revoke(task)) throw new Error('a task is begun before it is posted');
        task.revoked = true;
        return number;
      },
    };
  }

  #task(id) {
    const prospects = new this.#modules.Prospects();
    const handler = { index: id, number: id, prospects, measureBytes() {} };
    const task = { id, handler, transferList: null, mayEndWorker: false, fixed: false };
    Object.assign(task, { slot: -1, asked: null, payload: null, revoked: false, ended: false });
    this.#tasks[id] = task;
    return task;
  }

  revoke(id) {
    const task = this.#tasks[id];
    if (task === undefined || task.slot < 0) return;
    if (this.#slots.revoke(task)) task.revoked = true;
    else task.begun = true;
  }

  revokeAll(kept = 0) {
    const posted = this.#tasks.filter((task) => task !== undefined && task.slot >= 0);
    const back = this.#slots.revokeAll(kept);
    let last = -1;
    for (const task of Array.from(back)) {
      if (task.id < last) throw new Error('what was taken back is not in order');
      last = task.id;
      task.revoked = true;
    }
    // What a worker is to begin is taken back from the end on: before what is left nothing is gone.
    const left = posted.filter((task) => !task.revoked);
    if (left.some((task) => back.length > 0 && task.id > back[0].id)) {
      throw new Error('what was taken back is not the end of what was posted');
    }
    if (kept > 0) return;
    for (const task of left) task.begun = true;
  }

  ask(id) {
    const task = this.#tasks[id];
    if (task === undefined || !this.#slots.isRunning(task)) return;
    task.asked = 'aborted';
    this.#control[side.kAsked + id] = 1;
    this.#slots.ask(task, this.#modules.kAskAborted);
  }

  look(id) {
    const task = this.#tasks[id];
    if (task === undefined) return;
    const mark = this.#slots.startedAt(task);
    if (mark >= 0) this.#observed.push({ task, mark });
  }

  count() {
    const held = this.#tasks.filter((task) => task !== undefined && task.slot >= 0).length;
    if (this.#slots.unclaimed > held) throw new Error('more are unclaimed than are posted');
  }

  collect() {
    while (this.#slots.collect(this.#settle));
  }

  /** The worker is given up. */
  abandon() {
    const { started, unclaimed } = this.#slots.abandon();
    for (const task of Array.from(unclaimed)) task.revoked = true;
    for (const task of Array.from(started)) {
      task.begun = true;
      task.ended = true;
    }
  }

  #settle = (task, code, value) => {
    if (task.revoked) throw new Error(`task ${task.id} was taken back, and has a result`);
    if (task.ended) throw new Error(`task ${task.id} ended twice`);
    if (code !== 0 || value?.number !== 1000 + task.id) {
      throw new Error(`task ${task.id} got the result ${JSON.stringify(value)}, code ${code}`);
    }
    task.ended = true;
  };

  // When all is over

  deliverAll() {
    for (let direction = 0; direction < 2; direction++) {
      while (isUnderWay(this.#control, direction)) deliver(this.#control, direction);
    }
  }

  drain() {
    for (let i = 0; i < side.kMessages; i++) this.#port.event();
    this.collect();
  }

  check() {
    const control = this.#control;
    for (const task of this.#tasks) {
      if (task === undefined) continue;
      const ran = control[side.kRan + task.id];
      if (task.revoked && ran > 0) throw new Error(`task ${task.id} ran, and was taken back`);
      if (!task.revoked && ran !== 1) throw new Error(`task ${task.id} never ran`);
      if (!task.revoked && !task.ended) throw new Error(`the result of task ${task.id} is lost`);
      if (task.begun && task.revoked) throw new Error(`task ${task.id} was begun, and taken back`);
    }
    for (const { task, mark } of this.#observed) {
      if (mark !== control[side.kMark + task.id]) {
        throw new Error(`the start of task ${task.id} is another's`);
      }
    }
    const slots = this.#slots;
    if (slots.hasRevoked) throw new Error('what was taken back is not read past');
    if (slots.unclaimed !== 0 || slots.next !== null) throw new Error('a task is unclaimed');
    if (this.#abandoned()) return;
    if (!slots.hasRoom(this.#count, 0)) throw new Error('a slot is lost');
    if (!slots.hasRoom(this.#count, 1024 * 1024 - 1)) throw new Error('bytes are counted for ever');
    for (let direction = 0; direction < 2; direction++) {
      if (control[netAt(direction)] !== control[netAt(direction) + 1]) {
        throw new Error('a message was never delivered');
      }
    }
  }

  #abandoned() {
    return this.#program.some(([step]) => step === 'abandon');
  }
}
