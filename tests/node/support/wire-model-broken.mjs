// Ways to break the slot protocol by hand, in the compiled text, for the wire's model to find. Each
// names the program that is to show it.

const kRing = 'wire/channel.js';
const kSlots = 'owner/slots.js';
const kInbox = 'worker/inbox.js';
const kPort = 'wire/value-port.js';
const kOutbox = 'worker/outbox.js';

const atomics = (name, ...args) => `(0, intrinsics_js_1.Atomics${name})(${args.join(', ')})`;
const states = { posted: 'channel_js_1.kPosted', claimed: 'channel_js_1.kClaimed' };

const kCells = 'this.#channel.cells';
const kState = 'this.#channel.stateAt(slot)';
const kFree = `${atomics('Store', kCells, kState, 'channel_js_1.kFree')};`;
const kDrop = 'this.#carrier.discard(slot);';
const kAdvance = 'this.#ring.advance();';
const kPush = 'this.#ring.push(slot);';
const kPushEnd = '    }\n    #forget(';
const kMark = 'this.#revoked[this.#revoked.length] = slot;';
const kFreeWords = 'this.#carrier.free(slot);';
const kUnpost = 'this.#posted[i] = null;';
const kClaim = atomics('CompareExchange', kCells, 'at', states.posted, states.claimed);
const kRevoke = atomics('CompareExchange', 'cells', kState, 'from', 'to');
const kTail = `${atomics('Store', 'cells', 'tailAt', 'this.#tail')};`;
const kEntry = 'cells[at + (this.#tail & (length - 1))] = slot;';
const kRead = 'cells[at + (this.#head & (length - 1))]';
const kEach = `{
            const task = this.#posted[i];
            if (task === null || task.fixed || task.sticks)`;

const used = 'a slot whose task was taken back is used again';
const byPort = 'values by port stay with their entries';
const late = 'late values stay with their entries';

export const broken = {
  'a claim is no exchange': {
    program: used,
    changes: [
      {
        file: kInbox,
        from: kClaim,
        to: `((seen) => {
          if (seen === ${states.posted}) ${atomics('Store', kCells, 'at', states.claimed)};
          return seen;
        })(${atomics('Load', kCells, 'at')})`,
      },
    ],
  },
  'taking back is no exchange': {
    program: used,
    changes: [
      {
        file: kSlots,
        from: `return ${kRevoke} === from;`,
        to: `if (this.#stateOf(slot) !== from) return false;
          ${atomics('Exchange', 'cells', kState, 'to')};
          return true;`,
      },
    ],
  },
  'a slot is free once its task is taken back': {
    program: used,
    changes: [
      {
        file: kSlots,
        from: `return false;\n        ${kFreeWords}\n        ${kMark}`,
        to: `return false; ${kFree} this.#free[this.#freeCount++] = slot;`,
      },
    ],
  },
  'the first are taken back first': {
    program: 'all that is unclaimed is taken back',
    changes: [
      {
        file: kSlots,
        from: `for (let i = this.#postedCount - 1; i >= first; i--) ${kEach}`,
        to: `for (let i = first; i < this.#postedCount; i++) ${kEach}`,
      },
      {
        file: kSlots,
        from: `break;\n            ${kUnpost}`,
        to: `continue; ${kUnpost}`,
      },
      { file: kSlots, from: '(0, lists_js_1.reverse)(tasks);', to: '' },
    ],
  },
  'an entry is published before it is written': {
    program: used,
    changes: [
      { file: kRing, from: kEntry, to: 'const entry = at + (this.#tail & (length - 1));' },
      { file: kRing, from: kTail, to: `${kTail} ${atomics('Store', 'cells', 'entry', 'slot')};` },
    ],
  },
  'an entry is published before its state': {
    program: used,
    changes: [
      { file: kSlots, from: 'if (task.slot < 0) {', to: `${kPush} if (task.slot < 0) {` },
      { file: kSlots, from: `        ${kPush}\n${kPushEnd}`, to: kPushEnd },
    ],
  },
  'a slot is given back before its value is dropped': {
    program: byPort,
    changes: [
      { file: kInbox, from: kDrop, to: `${kFree} ${atomics('Load', kCells, '0')}; ${kDrop}` },
      { file: kInbox, from: `${kAdvance}\n        ${kFree}`, to: kAdvance },
    ],
  },
  'the value of what was taken back stays in the port': {
    program: byPort,
    changes: [{ file: kInbox, from: kDrop, to: '' }],
  },
  'what a slot was asked stays there': {
    program: 'a task is asked to end, and looked at',
    changes: [{ file: kSlots, from: 'if (task.asked !== null)', to: 'if (false)' }],
  },
  'a task that was taken back while it was read is posted': {
    program: 'a getter of the payload takes its task back',
    changes: [{ file: kSlots, from: 'if (task.slot < 0) {', to: 'if (false) {' }],
  },
  'a tail is an index': {
    program: used,
    firstTail: 2 ** 31 - 2,
    changes: [
      { file: kRing, from: kEntry, to: 'cells[at + (this.#tail % length)] = slot;' },
      { file: kRing, from: kRead, to: 'cells[at + (this.#head % length)]' },
    ],
  },
  'a value that is late is not waited for': {
    program: late,
    changes: [{ file: kInbox, from: 'this.#carrier.isHere(slot) ? slot : -1', to: 'slot' }],
  },
  'a late value that nobody wants is given to another': {
    program: late,
    changes: [{ file: kPort, from: 'this.#unwanted++', to: '0' }],
  },
  "a task's words are free once it is posted": {
    program: 'tasks end in another order than they begin',
    changes: [{ file: kSlots, from: kPush, to: `${kPush} ${kFreeWords}` }],
  },
  "a result's words are free once it is published": {
    program: 'tasks end in another order than they begin',
    changes: [{ file: kOutbox, from: kPush, to: `${kPush} ${kFreeWords}` }],
  },
  'words are read after the slot is given back': {
    program: 'words go by the port where the arena has no room',
    changes: [
      {
        file: kSlots,
        from: 'const value = this.#carrier.receive(slot);',
        to: `${kFree} const value = this.#carrier.receive(slot);`,
      },
    ],
  },
};
