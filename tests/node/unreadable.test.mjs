// Values that cannot be sent, or cannot be read on the other side, in both directions: their task
// is rejected and says so; what runs beside it and behind it on the same worker is not touched.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { entries, kindFile, poolOf } from './fixtures/kinds/entries.mjs';
import { runProgram, until, watched } from './support/behaviour.mjs';

/** More than the stack of the main thread can read, and less than that of a worker. */
const kDeep = 6_000;

function nest(depth) {
  let value = null;
  for (let i = 0; i < depth; i++) value = { value };
  return value;
}

function detached() {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function revokedProxy() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const cannot = /UNREADABLE|DataCloneError|RangeError|cannot be (read|cloned)|could not be cloned/;
const runs = (name, task, says) => ({ what: `a result: ${name}`, says, go: run(task, name) });
const run = (task, name) => (pool) => pool.run(task, { name });
const sends = (what, task, says = cannot) => ({
  what: `a task: ${what}`,
  says,
  go: (pool) => pool.run(typeof task === 'function' ? task() : task, { name: 'take' }),
});

/** `go` gives what is to be rejected with an error whose text has `says`. */
const cases = [
  runs('deep', kDeep, cannot),
  runs('deepInMap', kDeep, cannot),
  runs('deepLater', kDeep, cannot),
  runs('deepData', kDeep, /with deep data|UNREADABLE/),
  runs('deepCause', kDeep, /with a deep cause|UNREADABLE/),
  runs('deepCauses', kDeep, /the next|UNREADABLE/),
  runs('deepThrown', kDeep, cannot),
  runs('deepAggregate', kDeep, /with deep errors|UNREADABLE/),
  runs('detached', 0, cannot),
  runs('port', 0, /DataCloneError|TypeError/),
  runs('function', 0, cannot),
  runs('functionInside', 0, cannot),
  runs('symbol', 0, cannot),
  runs('getterThrows', 0, /from the getter/),
  runs('proxy', 0, cannot),
  runs('revokedProxy', 0, /revoked|cloned/),
  runs('weakMap', 0, cannot),
  runs('promiseInside', 0, cannot),
  {
    what: 'a result: moved a second time',
    says: cannot,
    async go(pool) {
      await pool.run(0, { name: 'movedTwice' });
      await pool.run(0, { name: 'movedTwice' });
    },
  },
  sends('too deep for this thread', () => nest(100_000)),
  sends('deep, for a worker with a small stack', () => nest(2_500)),
  sends('deep in a Map, for a worker with a small stack', () => new Map([[1, nest(2_500)]])),
  sends('detached', detached),
  sends('a function inside', { map: new Map(), call() {} }),
  sends('a symbol', { symbol: Symbol('task') }),
  sends('a port that is not listed', () => new MessageChannel().port1, /DataCloneError|TypeError/),
  sends('a proxy', new Proxy({}, {})),
  sends('a revoked proxy', revokedProxy, /revoked|cloned/),
  {
    what: 'a task: a getter that throws',
    says: /from the getter/,
    go(pool) {
      const task = {
        map: new Map(),
        get value() {
          throw new Error('from the getter');
        },
      };
      return pool.run(task, { name: 'take' });
    },
  },
  {
    what: 'a task: moved twice',
    says: cannot,
    async go(pool, { move }) {
      const view = new Uint8Array(8);
      const first = pool.run(move(view), { name: 'size' });
      const second = pool.run(move(view), { name: 'size' });
      second.catch(() => {});
      assert.equal(await first, 8);
      await second;
    },
  },
  {
    what: 'a task: listed for transfer twice',
    says: cannot,
    async go(pool) {
      const view = new Uint8Array(8);
      const options = { name: 'size', transferList: [view.buffer] };
      const first = pool.run(view, options);
      const second = pool.run(view, options);
      second.catch(() => {});
      assert.equal(await first, 8);
      await second;
    },
  },
  {
    what: 'a task: listed twice in one list',
    says: cannot,
    go(pool) {
      const view = new Uint8Array(8);
      return pool.run(view, { name: 'size', transferList: [view.buffer, view.buffer] });
    },
  },
];

const textOf = (error) => `${error?.code} ${error?.name}: ${error?.message}`;

for (const entry of entries) {
  for (const { what, says, go } of cases) {
    test(`${entry.name}: ${what}: fails alone`, watched, async (t) => {
      const pool = poolOf(t, entry, 'unreadable.cjs', {
        minThreads: 1,
        maxThreads: 1,
        concurrentTasksPerWorker: 4,
        ...(what.includes('small stack') && { resourceLimits: { stackSizeMb: 0.3 } }),
      });
      const lost = [];
      pool.on('workerLost', (error) => lost.push(error));
      pool.on('error', (error) => lost.push(error));
      const thread = await pool.run(0, { name: 'threadId' });
      // Again, for what a first one leaves behind.
      for (let round = 0; round < 2; round++) {
        const beside = pool.run('beside', { name: 'later' });
        const failing = go(pool, entry);
        failing.catch(() => {});
        // By the same port as what fails, so that an order that is lost shows.
        const behind = [];
        for (let id = 0; id < 4; id++) {
          behind.push(pool.run(id));
          behind.push(pool.run(id, { name: 'map' }).then((map) => map.get('id')));
          behind.push(pool.run(new Map([['id', id]]), { name: 'mapOf' }));
        }
        const results = await Promise.all([beside, ...behind]);
        assert.deepEqual(results, ['beside', 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
        await assert.rejects(failing, (error) => {
          assert.match(textOf(error), says, inspect(error));
          return true;
        });
      }
      assert.equal(await pool.run(0, { name: 'threadId' }), thread);
      assert.deepEqual(lost, []);
    });
  }

  test(`${entry.name}: a file that fails to load with a deep error says so`, watched, async (t) => {
    const pool = poolOf(t, entry, 'deep-setup.cjs', { minThreads: 1, maxThreads: 1 });
    await assert.rejects(pool.run(1), (error) => {
      assert.match(inspect(error), /the file failed|cannot be read/);
      return true;
    });
  });

  test(`${entry.name}: prepareStackTrace throws while errors arrive`, watched, async () => {
    const program = `
      import { entries } from ${JSON.stringify(new URL('./fixtures/kinds/entries.mjs', import.meta.url).href)};
      const entry = entries.find(({ name }) => name === ${JSON.stringify(entry.name)});
      const filename = ${JSON.stringify(kindFile('unreadable.cjs'))};
      const pool = entry.make({ filename, workerData: { entry: entry.name }, minThreads: 1,
        maxThreads: 1, concurrentTasksPerWorker: 4 });
      const thread = await pool.run(0, { name: 'threadId' });
      let thrown = 0;
      const rounds = [];
      for (const thrower of [() => { thrown++; throw new Error('no stack'); }, () => { thrown++;
        throw null; }, () => ({}), 1]) {
        Error.prepareStackTrace = thrower;
        const all = [pool.run('beside', { name: 'later' }), pool.run('a', { name: 'fails' }),
          pool.run(1), pool.run('b', { name: 'fails' }), pool.run(0, { name: 'symbol' }),
          pool.run(2)];
        const settled = await Promise.allSettled(all);
        Error.prepareStackTrace = undefined;
        rounds.push(settled.map(({ value,
          reason }) => value ?? (reason?.name + ' ' + reason?.code + ' ' + reason?.message)));
      }
      const same = thread === await pool.run(0, { name: 'threadId' });
      console.log(JSON.stringify({ rounds, same }));
      await pool.destroy();
    `;
    const { code, stdout, stderr } = await runProgram(program);
    assert.equal(code, 0, stderr);
    const { rounds, same } = JSON.parse(stdout);
    assert.equal(same, true);
    for (const round of rounds) {
      assert.match(round[4], /could not be cloned|cannot be cloned/);
      round[4] = '';
      const expected = ['beside', 'RangeError E_FAILS a', 1, 'RangeError E_FAILS b', '', 2];
      assert.deepEqual(round, expected);
    }
  });
}

test('cenote: deep errors of background work are told, and cost no worker', watched, async (t) => {
  const [entry] = entries;
  const pool = poolOf(t, entry, 'unreadable.cjs', { minThreads: 1, maxThreads: 1 });
  const lost = [];
  pool.on('workerLost', (error) => lost.push(error));
  const thread = await pool.run(0, { name: 'threadId' });
  const told = [];
  pool.on('backgroundError', (error) => told.push(error));
  assert.equal(await pool.run(kDeep, { name: 'deepBackground' }), 'returned');
  await until('the background error is told', () => told.length > 0);
  assert.match(textOf(told[0]), /in the background|cannot be read/);
  assert.equal(await pool.run(0, { name: 'threadId' }), thread);
  assert.deepEqual(lost, []);
});
