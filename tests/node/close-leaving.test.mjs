// What tasks left running, and did not register, when their pool is closed: what ends soon is not cut off.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { behaviour, fixture, poolFor, sharedWords } from './support/behaviour.mjs';

const filename = fixture('hostile/tasks.cjs');
const onePool = (t) => poolFor(t, { filename, minThreads: 1, maxThreads: 1 });

behaviour(
  'a file that is being written is written to its end, and exit listeners are called',
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

behaviour(
  'what never ends is not waited for, and exit listeners are called all the same',
  async (t) => {
    const words = sharedWords();
    const pool = onePool(t);
    await pool.run(words, { name: 'stay' });
    await pool.close();
    assert.equal(Atomics.load(words, 0), 1);
  },
);
