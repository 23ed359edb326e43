// The slot protocol under every order of both sides' steps: see `support/wire-model.mjs`. Each
// program is small, and searched whole; and the search finds what is broken by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from './support/wire-model.mjs';

const kTestMs = 300_000;

/** What the owner does, and the worker. Tasks are numbered in the order in which they are posted. */
const programs = {
  'a slot whose task was taken back is used again': {
    slots: 2,
    owner: [
      ['post', 0],
      ['post', 1, 'port'],
      ['revoke', 0],
      ['post', 2, 'port'],
      ['collect'],
      ['post', 3],
    ],
    worker: ['begin', 'end', 'begin', 'end', 'begin'],
  },
  'values by port stay with their entries': {
    slots: 3,
    owner: [
      ['post', 0, 'port'],
      ['post', 1],
      ['post', 2, 'port'],
      ['revoke', 0],
      ['revoke', 1],
      ['post', 3, 'port'],
    ],
    worker: ['begin', 'begin', 'end', 'begin', 'begin'],
  },
  'all that is unclaimed is taken back': {
    slots: 3,
    owner: [['post', 0], ['post', 1, 'port'], ['post', 2], ['revokeAll'], ['post', 3], ['collect']],
    worker: ['begin', 'begin', 'endLast', 'begin', 'end'],
  },
  'all but the first that is unclaimed is taken back': {
    slots: 3,
    owner: [
      ['post', 0, 'port'],
      ['post', 1],
      ['post', 2, 'port'],
      ['revokeAll', 1],
      ['post', 3],
    ],
    worker: ['begin', 'begin', 'end', 'begin'],
  },
  'tasks end in another order than they begin': {
    slots: 2,
    owner: [
      ['post', 0],
      ['post', 1],
      ['collect'],
      ['post', 2],
      ['collect'],
      ['post', 3],
      ['count'],
    ],
    worker: ['begin', 'begin', 'endLast', 'begin', 'end', 'endLast'],
  },
  'a task is asked to end, and looked at': {
    slots: 2,
    owner: [
      ['post', 0],
      ['ask', 0],
      ['post', 1],
      ['collect'],
      ['post', 2],
      ['look', 0],
      ['look', 1],
    ],
    worker: ['begin', 'end', 'begin', 'end', 'begin'],
  },
  'a getter of the payload takes its task back': {
    slots: 2,
    owner: [['post', 0, 'getter'], ['post', 1, 'port'], ['revokeAll'], ['post', 2]],
    worker: ['begin', 'begin', 'end', 'begin'],
  },
  'a worker is given up while it runs': {
    slots: 3,
    owner: [['post', 0], ['post', 1, 'port'], ['revoke', 0], ['post', 2], ['collect'], ['abandon']],
    worker: ['begin', 'begin', 'end', 'begin'],
  },
};

/** For the long run. */
const longer = {
  'slots are used many times': {
    slots: 2,
    owner: [
      ['post', 0],
      ['post', 1, 'port'],
      ['revoke', 1],
      ['collect'],
      ['post', 2],
      ['revokeAll'],
      ['post', 3, 'port'],
      ['collect'],
      ['post', 4],
      ['revoke', 4],
      ['post', 5, 'port'],
    ],
    worker: ['begin', 'end', 'begin', 'begin', 'endLast', 'end', 'begin', 'end', 'begin'],
  },
};

/** Where values by port arrive whenever they like. */
const delayed = {
  'late values stay with their entries': {
    slots: 2,
    owner: [['post', 0, 'port'], ['post', 1, 'port'], ['revoke', 0], ['collect']],
    worker: ['begin', 'begin', 'end'],
  },
  'a late result is waited for': {
    slots: 2,
    owner: [['post', 0], ['post', 1, 'port'], ['collect'], ['post', 2], ['collect']],
    worker: ['begin', 'begin', 'endLast', 'end'],
  },
};

const kRing = 'wire/channel.js';
const kSlots = 'owner/slots.js';
const kInbox = 'worker/inbox.js';
const kPort = 'wire/value-port.js';
const kStoreTail = '(0, intrinsics_js_1.AtomicsStore)(cells, tailAt, this.#tail);';
const kStoreEntry = 'cells[at + (this.#tail & (length - 1))] = slot;';
const kFreeSlot =
  '(0, intrinsics_js_1.AtomicsStore)(this.#channel.cells, this.#channel.stateAt(slot), channel_js_1.kFree);';

/** Ways to break the protocol, and the programs that are to find them. */
const broken = {
  'a claim is no exchange': {
    program: 'a slot whose task was taken back is used again',
    changes: [
      {
        file: kInbox,
        from: '(0, intrinsics_js_1.AtomicsCompareExchange)(this.#channel.cells, at, channel_js_1.kPosted, channel_js_1.kClaimed) !== channel_js_1.kPosted',
        to: '((seen) => { if (seen === 1) intrinsics_js_1.AtomicsStore(this.#channel.cells, at, 2); return seen; })(intrinsics_js_1.AtomicsLoad(this.#channel.cells, at)) !== 1',
      },
    ],
  },
  'taking back is no exchange': {
    program: 'a slot whose task was taken back is used again',
    changes: [
      {
        file: kSlots,
        from: 'return (0, intrinsics_js_1.AtomicsCompareExchange)(cells, this.#channel.stateAt(slot), from, to) === from;',
        to: 'if (this.#stateOf(slot) !== from) return false; intrinsics_js_1.AtomicsExchange(cells, this.#channel.stateAt(slot), to); return true;',
      },
    ],
  },
  'a slot is free once its task is taken back': {
    program: 'a slot whose task was taken back is used again',
    changes: [
      {
        file: kSlots,
        from: 'return false;\n        this.#revoked[this.#revoked.length] = slot;',
        to: 'return false;\n        intrinsics_js_1.AtomicsStore(this.#channel.cells, this.#channel.stateAt(slot), 0); this.#free[this.#free.length] = slot;',
      },
    ],
  },
  'the first are taken back first': {
    program: 'all that is unclaimed is taken back',
    changes: [
      {
        file: kSlots,
        from: 'for (let i = this.#posted.length - 1; i >= first; i--) {\n            const task = this.#posted[i];\n            if (task === null || task.fixed)',
        to: 'for (let i = first; i < this.#posted.length; i++) {\n            const task = this.#posted[i];\n            if (task === null || task.fixed)',
      },
      {
        file: kSlots,
        from: 'break;\n            this.#posted[i] = null;',
        to: 'continue;\n            this.#posted[i] = null;',
      },
      { file: kSlots, from: 'reverse(tasks);', to: '' },
    ],
  },
  'an entry is published before it is written': {
    program: 'a slot whose task was taken back is used again',
    changes: [
      { file: kRing, from: kStoreEntry, to: 'const entry = this.#tail;' },
      {
        file: kRing,
        from: kStoreTail,
        to: `${kStoreTail} intrinsics_js_1.AtomicsStore(cells, at + (entry & (length - 1)), slot);`,
      },
    ],
  },
  'an entry is published before its state': {
    program: 'a slot whose task was taken back is used again',
    changes: [
      {
        file: kSlots,
        from: 'if (task.slot < 0) {',
        to: 'this.#ring.push(slot); if (task.slot < 0) {',
      },
      {
        file: kSlots,
        from: '        this.#ring.push(slot);\n    }\n    #forget(',
        to: '    }\n    #forget(',
      },
    ],
  },
  'a slot is given back before its value is dropped': {
    program: 'values by port stay with their entries',
    changes: [
      {
        file: kInbox,
        from: 'this.#carrier.discard(slot);',
        to: `${kFreeSlot} intrinsics_js_1.AtomicsLoad(this.#channel.cells, 0); this.#carrier.discard(slot);`,
      },
      {
        file: kInbox,
        from: `this.#ring.advance();\n        ${kFreeSlot}`,
        to: 'this.#ring.advance();',
      },
    ],
  },
  'the value of what was taken back stays in the port': {
    program: 'values by port stay with their entries',
    changes: [{ file: kInbox, from: 'this.#carrier.discard(slot);', to: '' }],
  },
  'what a slot was asked stays there': {
    program: 'a task is asked to end, and looked at',
    changes: [{ file: kSlots, from: 'if (task.asked !== null)', to: 'if (false)' }],
  },
  'what is posted ends what is to be taken back': {
    program: 'a getter of the payload takes its task back',
    changes: [{ file: kSlots, from: 'if (task.slot < 0) {', to: 'if (false) {' }],
  },
  'a tail is an index': {
    program: 'a slot whose task was taken back is used again',
    firstTail: 2 ** 31 - 2,
    changes: [
      { file: kRing, from: kStoreEntry, to: 'cells[at + (this.#tail % length)] = slot;' },
      {
        file: kRing,
        from: 'cells[at + (this.#head & (length - 1))]',
        to: 'cells[at + (this.#head % length)]',
      },
    ],
  },
  'a value that is late is not waited for': {
    program: 'late values stay with their entries',
    changes: [{ file: kInbox, from: 'this.#carrier.isHere(slot) ? slot : -1', to: 'slot' }],
  },
  'a late value that nobody wants is another’s': {
    program: 'late values stay with their entries',
    changes: [{ file: kPort, from: 'this.#unwanted++', to: '0' }],
  },
};

/** The last wrap in the middle of a program. */
const tails = { 0: 0, '2^31 - 2': 2 ** 31 - 2, '2^32 - 2': -2 };
const long = process.env.CENOTE_LONG === '1';
const all = { ...programs, ...delayed, ...(long ? longer : {}) };

Object.entries(all).forEach(([name, program], index) => {
  // A short run takes another tail for each program.
  const chosen = Object.entries(tails).filter((_, i) => long || i === index % 3);
  for (const [tail, firstTail] of chosen) {
    test(`${name}, from tail ${tail} on`, { timeout: kTestMs }, async (t) => {
      const { runs, states, failure } = await explore({
        ...program,
        delayed: name in delayed,
        firstTail,
      });
      t.diagnostic(`${runs} schedules, ${states} states`);
      assert.equal(failure, null);
    });
  }
});

for (const [name, { program, changes, firstTail = 0 }] of Object.entries(broken)) {
  test(`the model finds that ${name}`, { timeout: kTestMs }, async (t) => {
    const { runs, failure } = await explore({
      ...all[program],
      delayed: program in delayed,
      firstTail,
      broken: changes,
    });
    assert.notEqual(failure, null);
    t.diagnostic(`after ${runs} schedules: ${failure.message}`);
  });
}
