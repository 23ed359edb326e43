// The slot protocol under every order of both sides' steps: see `support/wire-model.mjs`. Each
// program is small, and searched whole; and the search finds what is broken by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broken } from './support/wire-model-broken.mjs';
import { explore } from './support/wire-model.mjs';

const kTestMs = 300_000;

/** What the owner does, and the worker. Tasks are numbered in the order of their posts. */
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
  'words go by the port where the arena has no room': {
    slots: 2,
    arenaBlocks: 1,
    owner: [['post', 0], ['post', 1], ['revoke', 1], ['collect'], ['post', 2], ['collect']],
    worker: ['begin', 'begin', 'end', 'end', 'begin', 'end'],
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
