// `runtime: 'process'`: workers that are processes. What ends one loses the tasks that it had begun
// and no others, what it is started with is what a thread would be, and it ends with its owner.
//
// What both runtimes have in common is tested by the other files, which run over processes as well
// (`CENOTE_RUNTIME=process`, see support/words-in-files.cjs).

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SHARE_ENV } from 'node:worker_threads';
import { Pool } from 'cenote';
import { fixture, runProgram, until, watched } from './support/behaviour.mjs';

const frames = createRequire(import.meta.url)('../../dist/wire/frames.js');
const filename = fixture('process/tasks.cjs');

function poolOf(t, options = {}) {
  const pool = new Pool({ filename, runtime: 'process', minThreads: 1, maxThreads: 1, ...options });
  t.after(() => pool.destroy());
  return pool;
}

/** A file that tasks write lines to, as an oracle of what ran. */
function ledger(t) {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-process-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'ledger');
  writeFileSync(file, '');
  return { file, lines: () => readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const codeOf = ({ status, value, reason }) => (status === 'fulfilled' ? value : reason.code);

test('a task runs in a process of its own, which the pool names', watched, async (t) => {
  const pool = poolOf(t);
  const pid = await pool.run(0, { name: 'pid' });
  assert.notEqual(pid, process.pid);
  assert.deepEqual(
    pool.processes.map((child) => child.pid),
    [pid],
  );
  assert.deepEqual(pool.threads, []);
  assert.equal(pool.stats().workers[0].threadId, pid);
  assert.equal(pool.options.runtime, 'process');
  assert.equal(await pool.run(0, { name: 'pid' }), pid);
  await pool.close();
  assert.deepEqual(pool.processes, []);
  assert.equal(isAlive(pid), false);
});

test('a pool of threads has no processes', watched, async (t) => {
  const pool = poolOf(t, { runtime: 'thread' });
  assert.equal(await pool.run(0, { name: 'pid' }), process.pid);
  assert.deepEqual([pool.processes.length, pool.threads.length], [0, 1]);
});

const ends = [
  { how: 'SIGKILL', said: /it was killed by SIGKILL$/, signal: 'SIGKILL', exitCode: 137 },
  { how: 'SIGSEGV', said: /it was killed by SIGSEGV$/, signal: 'SIGSEGV', exitCode: 139 },
  {
    how: 'abort',
    said: /it was killed by SIGABRT, as a process/,
    signal: 'SIGABRT',
    exitCode: 134,
  },
  { how: 0, said: /it exited with code 0$/, signal: undefined, exitCode: 0 },
  { how: 3, said: /it exited with code 3$/, signal: undefined, exitCode: 3 },
];
for (const { how, said, signal, exitCode } of ends) {
  const named = typeof how === 'number' ? `process.exit(${how})` : how;
  test(`${named} loses the task that had begun, and no other`, watched, async (t) => {
    const pool = poolOf(t, { maxThreads: 2 });
    const { file, lines } = ledger(t);
    const losses = [];
    pool.on('workerLost', (...loss) => losses.push(loss));
    const ids = Array.from({ length: 20 }, (_, id) => id);
    const tells = (id) => (id % 10 === 4 ? how : undefined);
    const runs = ids.map((id) => pool.run({ file, how: tells(id), id }, { name: 'end' }));
    const settled = await Promise.allSettled(runs);
    const expected = ids.map((id) => (tells(id) === undefined ? id : 'ERR_CENOTE_WORKER_LOST'));
    assert.deepEqual(settled.map(codeOf), expected);
    assert.deepEqual(
      lines()
        .map(Number)
        .sort((a, b) => a - b),
      ids,
      'each began once',
    );
    const { message, cause } = settled[4].reason;
    assert.match(message, /^Worker process \d+ ended while the task ran on it: /);
    assert.match(message, said);
    assert.equal(cause?.signal, signal);
    assert.deepEqual(
      losses.map(([, code]) => code),
      [exitCode, exitCode],
    );
    const loss = losses.find(([, , pid]) => message.includes(` ${pid} `));
    assert.equal(loss?.[0], cause);
  });
}

test('of several tasks at once those are lost that had begun', watched, async (t) => {
  const pool = poolOf(t, { concurrentTasksPerWorker: 3 });
  const { file, lines } = ledger(t);
  await pool.ready();
  // The first never yields: the process has the others, and cannot begin them.
  const blocked = pool.run({ file, id: 'blocks' }, { name: 'block' });
  const others = [1, 2, 3, 4].map((id) => pool.run({ file, id }, { name: 'note' }));
  const settled = Promise.allSettled([blocked, ...others]);
  await until('the first blocks', () => lines().length > 0);
  process.kill(pool.processes[0].pid, 'SIGKILL');
  assert.deepEqual((await settled).map(codeOf), ['ERR_CENOTE_WORKER_LOST', 1, 2, 3, 4]);
  assert.deepEqual(lines().sort(), ['1', '2', '3', '4', 'blocks'], 'each began once');
  assert.equal(pool.stats().tasks.lost, 1);
});

test('no task begins twice, however often processes end beside it', watched, async (t) => {
  const pool = poolOf(t, { maxThreads: 2, concurrentTasksPerWorker: 4 });
  const { file, lines } = ledger(t);
  const ids = Array.from({ length: 80 }, (_, id) => id);
  const tells = (id) => (id % 10 === 4 ? 3 : undefined);
  const runs = ids.map((id) => pool.run({ file, how: tells(id), id }, { name: 'endLater' }));
  const settled = await Promise.allSettled(runs);
  assert.deepEqual(
    lines()
      .map(Number)
      .sort((a, b) => a - b),
    ids,
  );
  for (const id of ids) {
    const outcome = codeOf(settled[id]);
    assert.ok(outcome === 'ERR_CENOTE_WORKER_LOST' || outcome === id, `${id}: ${outcome}`);
    if (tells(id) !== undefined) assert.notEqual(outcome, id);
  }
});

test('what has ended is not lost with its process', watched, async (t) => {
  const pool = poolOf(t, { concurrentTasksPerWorker: 2 });
  const { file } = ledger(t);
  await pool.ready();
  // Both are sent at once, and run in one turn of the process.
  const first = pool.run({ file, id: 'first' }, { name: 'note' });
  const second = pool.run({ file, how: 'SIGKILL', id: 'second' }, { name: 'end' });
  const settled = await Promise.allSettled([first, second]);
  assert.deepEqual(settled.map(codeOf), ['first', 'ERR_CENOTE_WORKER_LOST']);
});

test('a process that runs out of its memory loses the task that had begun', watched, async (t) => {
  const pool = poolOf(t, { resourceLimits: { maxOldGenerationSizeMb: 24 } });
  const [lost, echo] = await Promise.allSettled([pool.run(0, { name: 'fill' }), pool.run('next')]);
  assert.equal(lost.reason.code, 'ERR_CENOTE_WORKER_LOST');
  assert.match(
    lost.reason.message,
    /it was killed by SIG\w+, as a process is that runs out of mem/,
  );
  assert.equal(echo.value, 'next');
});

test('an uncaught error of the process is the cause', watched, async (t) => {
  const pool = poolOf(t);
  await assert.rejects(pool.run('mine', { name: 'throwLater' }), ({ code, message, cause }) => {
    assert.equal(code, 'ERR_CENOTE_WORKER_LOST');
    assert.match(message, /ended while the task ran on it: mine$/);
    assert.ok(cause instanceof RangeError);
    assert.equal(cause.code, 'MINE');
    assert.match(cause.stack, /tasks\.cjs/);
    return true;
  });
  assert.equal(await pool.run(1), 1);
});

// What it is started with

test('workerData, env, argv and execArgv reach it', watched, async (t) => {
  const given = {
    workerData: { since: new Date(0), map: new Map([[1, 2n]]) },
    argv: ['one', 2],
    execArgv: ['--no-warnings'],
    env: { CENOTE_TEST_VARIABLE: 'set' },
  };
  const self = await poolOf(t, given).run(0, { name: 'self' });
  assert.deepEqual(self, {
    workerData: given.workerData,
    argv: ['one', '2'],
    execArgv: ['--no-warnings'],
    variable: 'set',
    path: false,
  });
  const plain = await poolOf(t).run(0, { name: 'self' });
  assert.deepEqual([plain.workerData, plain.argv, plain.path], [undefined, [], true]);
});

test('an ES module sees workerData as well', watched, async (t) => {
  const pool = poolOf(t, { filename: fixture('process/data.mjs'), workerData: 'from the pool' });
  assert.equal(await pool.run(0), 'from the pool');
});

test('resourceLimits are those of the process', watched, async (t) => {
  const flags = async (resourceLimits) =>
    (await poolOf(t, { resourceLimits, execArgv: [] }).run(0, { name: 'self' })).execArgv;
  assert.deepEqual(await flags({ maxOldGenerationSizeMb: 50, maxYoungGenerationSizeMb: 6 }), [
    '--max-old-space-size=50',
    '--max-semi-space-size=2',
  ]);
  const shallow = poolOf(t, { resourceLimits: { stackSizeMb: 0.25 } });
  await assert.rejects(shallow.run(20_000, { name: 'nest' }), RangeError);
  assert.equal(
    await poolOf(t, { resourceLimits: { stackSizeMb: 4 } }).run(20_000, { name: 'nest' }),
    20_000,
  );
});

test('flags of this process are handed on, but for what it runs', watched, async () => {
  const { stdout, stderr } = await runProgram(
    `import { Pool } from 'cenote';
     const pool = new Pool({ filename: ${JSON.stringify(filename)}, runtime: 'process', maxThreads: 1 });
     console.log(JSON.stringify((await pool.run(0, { name: 'self' })).execArgv));
     await pool.close();`,
    {
      args: [
        ...['--no-warnings', '--inspect-port', '0', '--test-name-pattern=a b', '--conditions', 'x'],
        '--stack-trace-limit=20',
      ],
    },
  );
  const handedOn = ['--no-warnings', '--conditions', 'x', '--stack-trace-limit=20'];
  assert.deepEqual(JSON.parse(stdout), handedOn, stderr);
});

test('options that cannot be are refused at the call', watched, () => {
  const made = (options) => () => new Pool({ filename, ...options });
  assert.throws(made({ runtime: 'fiber' }), {
    code: 'ERR_OUT_OF_RANGE',
    message: `The "runtime" option must be 'thread' or 'process'. Received 'fiber'`,
  });
  assert.throws(made({ runtime: 1 }), { code: 'ERR_INVALID_ARG_TYPE', message: /"runtime"/ });
  assert.throws(made({ runtime: 'process', env: SHARE_ENV }), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /^The "env" option must be an object with runtime: 'process'/,
  });
  assert.throws(made({ runtime: 'process', workerData: () => {} }), { name: 'DataCloneError' });
});

test('the environment says it where the option does not', watched, async () => {
  const program = (options) => `import { Pool } from 'cenote';
    const pool = new Pool({ maxThreads: 1, ${options} });
    console.log(pool.options.runtime, pool.options.sources.runtime, pool.processes.length);
    await pool.destroy();`;
  const env = { CENOTE_RUNTIME: 'process' };
  assert.equal((await runProgram(program(''), { env })).stdout, 'process environment 1\n');
  const said = await runProgram(program("runtime: 'thread'"), { env });
  assert.equal(said.stdout, 'thread option 0\n');
  const wrong = await runProgram(program(''), { env: { CENOTE_RUNTIME: 'fiber' } });
  assert.match(
    wrong.stderr,
    /The environment variable CENOTE_RUNTIME must be 'thread' or 'process'/,
  );
});

test('a process that cannot start is told of as one', watched, async (t) => {
  const pool = poolOf(t, { execArgv: ['--no-such-flag'] });
  await assert.rejects(pool.run(0), {
    code: 'ERR_CENOTE_WORKER_BOOT',
    message: 'No worker process could start: The worker process ended: it exited with code 9',
  });
});

test('where there is no runtime to start, tasks are told so', watched, async () => {
  const { stdout, stderr } = await runProgram(
    `import { Pool } from 'cenote';
     process.execPath = '/no/such/runtime';
     const pool = new Pool({ filename: ${JSON.stringify(filename)}, runtime: 'process', maxThreads: 1 });
     await pool.run(0).catch(({ code, cause }) => console.log(code, cause.code));
     await pool.close();`,
  );
  assert.equal(stdout, 'ERR_CENOTE_WORKER_BOOT ENOENT\n', stderr);
});

// Values

test('what belongs to one process is refused, and says so', watched, async (t) => {
  const pool = poolOf(t);
  const refused = (message) => ({ name: 'DataCloneError', message });
  const shared = /^A SharedArrayBuffer could not be cloned: a worker process shares no memory/;
  await assert.rejects(pool.run({ deep: new SharedArrayBuffer(8) }), refused(shared));
  await assert.rejects(pool.run(0, { name: 'shared' }), refused(shared));
  await assert.rejects(pool.run({ f() {} }), refused(/could not be cloned/));
  const { port1 } = new MessageChannel();
  await assert.rejects(
    pool.run({ port1 }, { transferList: [port1] }),
    refused(/^Of a transferList, only an ArrayBuffer can cross to another process/),
  );
  await assert.rejects(pool.run({ port1 }), refused(/MessagePort could not be cloned/));
  port1.close();
  assert.equal(await pool.run('it lives'), 'it lives');
});

test('a transferred buffer is gone, though it was copied', watched, async (t) => {
  const pool = poolOf(t);
  const buffer = new ArrayBuffer(16);
  const arrived = await pool.run(buffer, { name: 'bytes', transferList: [buffer] });
  assert.deepEqual(arrived, { tag: '[object ArrayBuffer]', bytes: 16 });
  assert.equal(buffer.byteLength, 0);
  await assert.rejects(pool.run(buffer, { name: 'bytes', transferList: [buffer] }), {
    name: 'DataCloneError',
  });
  assert.deepEqual(await pool.run(3, { name: 'moved' }), new Uint8Array([7, 7, 7]));
  assert.equal(pool.stats().wire.tasks.transferred, 1);
});

test('large values cross whole, among small ones', watched, async (t) => {
  const pool = poolOf(t, { concurrentTasksPerWorker: 4 });
  const values = Array.from({ length: 12 }, (_, at) =>
    at % 3 === 0 ? new Uint8Array(3_000_000 + at).fill(at) : { at, text: 'ä'.repeat(at * 1_000) },
  );
  assert.deepEqual(await Promise.all(values.map((value) => pool.run(value))), values);
});

for (const [what, bytes] of [
  ['text', 'a'.repeat(100)],
  ['a little', '\0'.repeat(10)],
]) {
  test(
    `a handler that writes ${what} to the pool's pipe costs its own process`,
    watched,
    async (t) => {
      const pool = poolOf(t, { concurrentTasksPerWorker: 2 });
      await pool.ready();
      const meddles = pool.run(bytes, { name: 'meddle' });
      // Its answer shows the end of what is too short to be a frame.
      const other = pool.run('other', { name: 'moved' }).catch(() => {});
      await assert.rejects(meddles, {
        code: 'ERR_CENOTE_WORKER_LOST',
        message: /: it wrote to file descriptor 5, the pipe to its pool$/,
      });
      await other;
      assert.equal(await pool.run('next'), 'next');
    },
  );
}

for (const [what, task, options] of [
  ['writes to the pipe', '\0'.repeat(10), { name: 'meddle' }],
  ['is killed', 'SIGKILL', { name: 'killItself' }],
]) {
  test(`a caller that blocks hears of a process that ${what}`, watched, async (t) => {
    const pool = poolOf(t, { concurrentTasksPerWorker: 2 });
    await pool.ready();
    const first = pool.run(task, options).catch((error) => error);
    // Nothing of this thread's loop runs from here on.
    const lost = { code: 'ERR_CENOTE_WORKER_LOST' };
    const blocked = { name: 'forever', timeout: 10_000 };
    const answered = { name: 'moved', timeout: 10_000 };
    assert.throws(() => pool.runSync(1, what === 'is killed' ? blocked : answered), lost);
    assert.equal((await first).code, lost.code);
    assert.equal(await pool.run('next'), 'next');
  });
}

for (const pipe of [4, 5]) {
  test(`a handler that closes the pipe ${pipe} costs its own process`, watched, async (t) => {
    const pool = poolOf(t);
    const closes = pool.run(`close ${pipe}`, { name: 'meddle' });
    await assert.rejects(closes, { code: 'ERR_CENOTE_WORKER_LOST' });
    assert.equal(await pool.run('next'), 'next');
  });
}

test('frames come whole, in whatever parts they arrive', () => {
  const values = [undefined, 'a', new Uint8Array(300).fill(3), { deep: [1n, new Map([[1, 2]])] }];
  const sent = values.map((value, at) =>
    frames.frameOf(at + 1, [at, -1.5], frames.encodeValue(value)),
  );
  sent.push(frames.frameOf(9, [2 ** 40], null));
  const bytes = Buffer.concat(sent);
  for (let size = 1; size < bytes.length + 1; size = Math.ceil(size * 1.3)) {
    const got = [];
    const reader = new frames.FrameReader(({ kind, number, body }) =>
      got.push([kind, number(0), number(1), body.length > 0 ? frames.decodeValue(body) : null]),
    );
    for (let at = 0; at < bytes.length; at += size) reader.take(bytes.subarray(at, at + size));
    const expected = values.map((value, at) => [at + 1, at, -1.5, value]);
    assert.deepEqual(got, [...expected, [9, 2 ** 40, 0, null]], `in parts of ${size}`);
    // As long as a frame may be, and none of ours.
    const foreign = Buffer.from(sent[0]).fill(0, 0, 4);
    reader.take(foreign);
    assert.equal(reader.isBroken, true);
  }
});

// Its life

test('process.send() of a handler is an event of the pool', watched, async (t) => {
  const pool = poolOf(t);
  const said = new Promise((resolve) => pool.on('message', (...args) => resolve(args)));
  await pool.run({ half: 1n }, { name: 'say' });
  assert.deepEqual(await said, [{ half: 1n }, pool.processes[0].pid]);
});

test('a loop that never yields sees that it is to end', watched, async (t) => {
  const pool = poolOf(t, { abortGrace: Infinity });
  const { file, lines } = ledger(t);
  const pid = await pool.run(0, { name: 'pid' });
  const controller = new AbortController();
  const run = pool.run({ file, id: 1 }, { name: 'obey', signal: controller.signal });
  await until('it loops', () => lines().length === 1);
  controller.abort();
  await assert.rejects(run, { name: 'AbortError' });
  await until('it obeyed', () => lines().length === 2);
  assert.equal(await pool.run(0, { name: 'pid' }), pid);
});

test('close() waits for registered work, and exit listeners run', watched, async (t) => {
  const pool = poolOf(t);
  const { file, lines } = ledger(t);
  await pool.run({ file, id: 1, ms: 50 }, { name: 'background' });
  assert.equal(pool.stats().background.active, 1);
  await pool.close();
  assert.deepEqual(lines(), ['1 in the background', '1 at exit']);
  assert.equal(pool.stats().background.completed, 1);
});

test('destroy() kills a process that computes', watched, async (t) => {
  const pool = poolOf(t);
  const { file, lines } = ledger(t);
  const run = pool.run({ file, id: 1 }, { name: 'block' });
  await until('it computes', () => lines().length === 1);
  const [{ pid }] = pool.processes;
  await Promise.all([assert.rejects(run, { code: 'ERR_CENOTE_POOL_DESTROYED' }), pool.destroy()]);
  assert.equal(isAlive(pid), false);
});

test('an idle process above the minimum ends', watched, async (t) => {
  const pool = poolOf(t, { minThreads: 0, idleTimeout: 20 });
  const pid = await pool.run(0, { name: 'pid' });
  await until('it has ended', () => pool.processes.length === 0);
  assert.equal(isAlive(pid), false);
  assert.notEqual(await pool.run(0, { name: 'pid' }), pid);
});

test('an interrupt from the terminal is not for it', watched, async (t) => {
  const pool = poolOf(t);
  const pid = await pool.run(0, { name: 'pid' });
  process.kill(pid, 'SIGINT');
  assert.equal(await pool.run(0, { name: 'pid' }), pid);
});

const program = (body) => `import { Pool } from 'cenote';
  const pool = new Pool({ filename: ${JSON.stringify(filename)}, runtime: 'process', maxThreads: 1 });
  ${body}`;

test('an idle pool does not hold its process, and a pending task does', watched, async () => {
  const idle = await runProgram(
    program(`globalThis.kept = pool; await pool.ready(); console.log('ready');`),
  );
  assert.deepEqual([idle.code, idle.stdout], [0, 'ready\n'], idle.stderr);
  const pending = await runProgram(program(`pool.run('done').then(console.log);`));
  assert.deepEqual([pending.code, pending.stdout], [0, 'done\n'], pending.stderr);
});

test('what it prints goes where its owner prints', watched, async () => {
  const { stdout, stderr } = await runProgram(
    program(`await pool.run('from the worker', { name: 'print' }); console.log('after');`),
  );
  assert.equal(stdout, 'from the worker\nafter\n', stderr);
});

for (const [what, end] of [
  ['exits while they compute', 'process.exit(0)'],
  ['is killed while they are idle', "process.kill(process.pid, 'SIGKILL')"],
  ['is killed while they look whether they should stop', "process.kill(process.pid, 'SIGKILL')"],
]) {
  test(`processes end with a program that ${what}`, watched, async (t) => {
    const { file, lines } = ledger(t);
    const path = JSON.stringify(file);
    const computes = `const { readFileSync } = await import('node:fs');
      pool.run({ file: ${path}, id: 1 }, { name: '${what.includes('look') ? 'obey' : 'block'}' }).catch(() => {});
      while (readFileSync(${path}, 'utf8') === '')
        await new Promise((go) => setTimeout(go, 2));`;
    const busy = what.includes('idle') ? '' : computes;
    const { stdout } = await runProgram(
      program(`console.log(await pool.run(0, { name: 'pid' }));
        ${busy}
        ${end};`),
    );
    assert.equal(lines().length, busy === '' ? 0 : 1);
    await until('the worker has ended', () => !isAlive(Number(stdout)));
  });
}

test('a pool of the file that is being loaded is refused there', watched, async (t) => {
  const pool = poolOf(t, {
    filename: fixture('recursive/self.mjs'),
    workerData: new Int32Array(1),
  });
  await assert.rejects(pool.run(0), { code: 'ERR_CENOTE_RECURSIVE_POOL' });
});
