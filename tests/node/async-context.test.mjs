// AsyncLocalStorage across `run()`, on the caller's side: whatever settles a task, its caller goes
// on in its own context.

import assert from 'node:assert/strict';
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { blocker, fixture, poolFor, sharedWords, until, watched } from './support/behaviour.mjs';

const storage = new AsyncLocalStorage();
const filename = fixture('features/tasks.cjs');
const inContext = (store, body) => storage.run(store, body);

test('the context holds after await, in then, catch and finally', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  await inContext('mine', async () => {
    assert.equal(await pool.run(1), 1);
    assert.equal(storage.getStore(), 'mine');
    const seen = [];
    const see = () => void seen.push(storage.getStore());
    await pool.run(2).then(see);
    await pool.run('x', { name: 'throwError' }).catch(see);
    await pool.run(3).finally(see);
    assert.deepEqual(seen, ['mine', 'mine', 'mine']);
  });
  assert.equal(storage.getStore(), undefined);
});

test('many contexts at once stay apart, over several workers', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 2, maxThreads: 2, concurrentTasksPerWorker: 4 });
  const user = (id) =>
    inContext({ id }, async () => {
      for (let n = 0; n < 10; n++) {
        const name = n % 3 === 0 ? 'pause' : 'echo';
        await pool.run({ ms: 1, value: n }, { name });
        assert.deepEqual(storage.getStore(), { id });
        await Promise.all([pool.run(n), pool.run('x', { name: 'rejectError' }).catch(() => {})]);
        assert.deepEqual(storage.getStore(), { id });
      }
      return storage.getStore().id;
    });
  const ids = Array.from({ length: 50 }, (_, id) => id);
  assert.deepEqual(await Promise.all(ids.map(user)), ids);
});

test('contexts nest', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const seen = [];
  await inContext('outer', async () => {
    await pool.run(1);
    await inContext('inner', async () => {
      const before = pool.run(2).then(() => seen.push(storage.getStore()));
      await inContext('innermost', () => pool.run(3).then(() => seen.push(storage.getStore())));
      await before;
      seen.push(storage.getStore());
    });
    await pool.run(4);
    seen.push(storage.getStore());
    await storage.exit(async () => {
      await pool.run(5);
      seen.push(storage.getStore());
    });
  });
  assert.deepEqual(seen, ['inner', 'innermost', 'inner', 'outer', undefined]);
});

test('a pool carries the context it was made in to nobody', watched, async (t) => {
  const pool = inContext('maker', () => poolFor(t, { minThreads: 1, maxThreads: 1 }));
  await pool.run(1);
  assert.equal(storage.getStore(), undefined);
  await inContext('user', async () => {
    await pool.run(2);
    assert.equal(storage.getStore(), 'user');
  });
});

test('a task carries its context to no other that waits with it', watched, async (t) => {
  const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
  const busy = blocker(pool);
  await busy.started;
  const seen = [];
  const users = ['a', 'b', undefined, 'c'].map((store) =>
    inContext(store, () => pool.run(0).then(() => seen.push(storage.getStore()))),
  );
  await inContext('releases', async () => busy.release());
  await Promise.all(users);
  assert.deepEqual(seen, ['a', 'b', undefined, 'c']);
});

test(
  'the context holds for a thenable, for events and for an AsyncResource',
  watched,
  async (t) => {
    const pool = poolFor(t, { minThreads: 1, maxThreads: 1 });
    const seen = [];
    await inContext('mine', async () => {
      const events = new EventEmitter();
      events.once('done', () => seen.push(storage.getStore()));
      const heard = once(events, 'done').then(() => seen.push(storage.getStore()));
      await pool.run(1).then(() => events.emit('done'));
      await heard;
      const bound = AsyncResource.bind(() => seen.push(storage.getStore()));
      await storage.exit(() => pool.run(2).then(bound));
      await { then: (resolve, reject) => pool.run(3).then(resolve, reject) };
      seen.push(storage.getStore());
    });
    assert.deepEqual(seen, ['mine', 'mine', 'mine', 'mine']);
  },
);

test(
  'the context holds whatever ends the task: abort, limits, a lost worker, destroy()',
  watched,
  async (t) => {
    const seen = [];
    const caught = (store, run) =>
      inContext(store, () =>
        run().then(
          () => assert.fail(`${store} did not reject`),
          () => seen.push(storage.getStore()),
        ),
      );
    const pool = poolFor(t, { filename, minThreads: 1, maxThreads: 1 });
    const words = sharedWords();
    const controller = new AbortController();
    const aborted = caught('abort', () =>
      pool.run({ words }, { name: 'spin', signal: controller.signal }),
    );
    await until('it runs', () => Atomics.load(words, 0) === 1);
    const expired = caught('queueTimeout', () => pool.run(0, { queueTimeout: 20 }));
    await expired;
    inContext('aborts', () => controller.abort());
    await aborted;
    await caught('timeout', () =>
      pool.run({ words: sharedWords() }, { name: 'spin', timeout: 20 }),
    );
    const held = sharedWords();
    const lost = caught('lost', () => pool.run({ words: held }, { name: 'hold' }));
    await until('it runs', () => Atomics.load(held, 0) === 1);
    await Promise.all([inContext('terminates', () => pool.threads[0].terminate()), lost]);
    const destroyed = caught('destroyed', () =>
      pool.run({ words: sharedWords() }, { name: 'hold' }),
    );
    await Promise.all([inContext('destroys', () => pool.destroy()), destroyed]);
    await caught('closed', () => pool.run(0));
    assert.deepEqual(seen, ['queueTimeout', 'abort', 'timeout', 'lost', 'destroyed', 'closed']);
  },
);

test('the context holds after ready() and close()', watched, async (t) => {
  const pool = inContext('maker', () => poolFor(t, { minThreads: 1, maxThreads: 1 }));
  await inContext('mine', async () => {
    await pool.ready();
    assert.equal(storage.getStore(), 'mine');
    await pool.close();
    assert.equal(storage.getStore(), 'mine');
  });
});
