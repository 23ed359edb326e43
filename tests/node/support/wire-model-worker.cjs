// The worker's side of the wire's model: a thread that runs its program one step at a time.

'use strict';

const side = require('./wire-model-side.cjs');
const { workerData } = require('node:worker_threads');
const { control, prefix, failure, memory, program, broken, delayed } = workerData;

const modules = side.load(broken);
const Carrier = side.steppedCarrier(modules);
const cells = new Int32Array(memory.buffer);
side.watch.buffer = memory.buffer;

const hook = {
  before(kind, index, args) {
    if (control[side.kAborting] !== 0) throw new side.Abandoned();
    const step = control[side.kStep];
    if (step < control[side.kPrefix] && prefix[step] === side.kWorkersTurn) {
      control[side.kStep] = step + 1;
    } else {
      control[side.kPendingKind] = kind;
      control[side.kPendingIndex] = index;
      side.giveTurn(control, side.kOwnersTurn);
      side.awaitTurn(control, side.kWorkersTurn);
      if (control[side.kAborting] !== 0) throw new side.Abandoned();
    }
    if (kind === kStore && args[0] === modules.kFree) countRead(index);
  },
  after(index, result) {
    side.mix(control, side.kHistory, index);
    side.mix(control, side.kHistory, result);
  },
};
const kStore = side.kKinds.indexOf('store');

/** The worker has read past the entry of the slot whose state is there. */
function countRead(index) {
  for (let slot = 0; slot < memory.slots; slot++) {
    if (channel.stateAt(slot) === index) control[side.kUnread + slot]--;
  }
}

let channel, port, inbox, outbox, running, marks;

function reset() {
  channel = new modules.Channel(memory);
  port = new side.ModelPort(control, 1, 0, delayed);
  const values = new modules.ValuePort(port, delayed ? () => {} : null);
  const { toWorker, toOwner } = channel;
  const isRead = (slot) => modules.AtomicsLoad(cells, channel.stateAt(slot)) !== modules.kClaimed;
  const carrier = new Carrier(channel, values, toOwner, toWorker, isRead);
  inbox = new modules.Inbox(channel, carrier);
  outbox = new modules.Outbox(
    channel,
    carrier,
    () => {},
    () => {},
  );
  running = [];
  marks = 0;
}

function fail(message) {
  throw new Error(message);
}

const steps = {
  /** As the runner: looks, writes the start, claims, and takes the value. */
  begin() {
    const slot = inbox.peek();
    if (slot < 0) return false;
    const mark = ++marks;
    channel.setStartedAt(slot, mark);
    if (!inbox.claim(slot)) return true;
    control[side.kUnread + slot]--;
    // What is given up in the model goes on: all that it has claimed will run.
    channel.setEntered(slot, true);
    const value = inbox.take(slot);
    const id = value?.number;
    if (!(id >= 0 && id < side.kTasks)) fail(`slot ${slot} has no value`);
    if (channel.handlerOf(slot) !== id) {
      fail(`the entry of task ${channel.handlerOf(slot)} came with the value of task ${id}`);
    }
    const asked = modules.AtomicsLoad(cells, channel.askAt(slot));
    if (asked !== modules.kAskNothing && control[side.kAsked + id] === 0) {
      fail(`task ${id} was asked what another was asked`);
    }
    if (++control[side.kRan + id] > 1) fail(`task ${id} ran twice`);
    control[side.kMark + id] = mark;
    running.push({ slot, id });
    return true;
  },
  /** The task that was begun first, or last, ends. */
  end: () => finish(running.shift()),
  endLast: () => finish(running.pop()),
  event: () => port.event(),
};

function finish(task) {
  if (task === undefined) return;
  const number = 1000 + task.id;
  channel.setRunMs(task.slot, 1);
  outbox.finish(task.slot, 0, (task.id & 1) === 0 ? { number } : new side.Big(number));
}

/** Reads and runs all that is there. */
function drain() {
  for (let i = 0; i < side.kMessages; i++) port.event();
  while (steps.begin());
  while (running.length > 0) steps.end();
}

function run(command) {
  if (command === side.kDrain) return drain();
  reset();
  side.watch.hook = hook;
  for (const step of program) {
    if (delayed) steps.event();
    steps[step]();
  }
}

for (;;) {
  side.awaitTurn(control, side.kWorkersTurn);
  const command = control[side.kCommand];
  if (command === side.kQuit) break;
  try {
    run(command);
  } catch (error) {
    if (control[side.kAborting] === 0) {
      const text = Buffer.from(error instanceof Error ? error.message : String(error));
      control[side.kFailed] = text.copy(Buffer.from(failure.buffer));
    }
  }
  side.watch.hook = null;
  control[side.kWorkerDone] = 1;
  side.giveTurn(control, side.kOwnersTurn);
}
side.giveTurn(control, side.kOwnersTurn);
