// What tasks left running, and did not register, when their pool is closed: what ends soon is not
// cut off.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixture, poolFor, sharedWords, watched } from './support/behaviour.mjs';

const filename = fixture('hostile/tasks.cjs');
const onePool = (t) => poolFor(t, { filename, minThreads: 1, maxThreads: 1 });

test(
  'a file that is being written is written to its end, and exit listeners are called',
  watched,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'out.txt');
    const words = sharedWords();
    const pool = onePool(t);
    await pool.run({ file, words }, { name: 'leave' });
    await pool.close();
    assert.equal(readFileSync(file, 'utf8').split('\n').length, 501);
    assert.equal(Atomics.load(words, 0), 1);
  },
);

test(
  'what never ends is not waited for, and exit listeners are called all the same',
  watched,
  async (t) => {
    const words = sharedWords();
    const pool = onePool(t);
    await pool.run(words, { name: 'stay' });
    await pool.close();
    assert.equal(Atomics.load(words, 0), 1);
  },
);
