// The package loaded as Jest loads it with jsdom: in a context of its own, whose Object, Array and
// Error are others than those of Node's modules, with a browser's timers and no structuredClone.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { runProgram, watched } from './support/behaviour.mjs';

const program = (entry) => `
  import { readFileSync } from 'node:fs';
  import { createRequire, isBuiltin } from 'node:module';
  import { dirname } from 'node:path';
  import { createContext, compileFunction, runInContext } from 'node:vm';
  const root = createRequire(process.cwd() + '/');
  let last = 0;
  const timers = new Map();
  const browser = {
    setTimeout: (callback, ms) => (timers.set(++last, setTimeout(callback, ms)), last),
    clearTimeout: (id) => clearTimeout(timers.get(id)),
    setInterval: (callback, ms) => (timers.set(++last, setInterval(callback, ms)), last),
    clearInterval: (id) => clearInterval(timers.get(id)),
  };
  const { AbortController, AbortSignal, Buffer, DOMException, MessageChannel, URL } = globalThis;
  const own = { AbortController, AbortSignal, DOMException, MessageChannel, URL };
  const node = { Buffer, console, performance, process, queueMicrotask };
  const context = createContext({ ...browser, ...own, ...node });
  runInContext('globalThis.window = globalThis', context);
  const modules = new Map();
  function load(file) {
    if (file.endsWith('.node')) return root(file);
    if (modules.has(file)) return modules.get(file).exports;
    const module = { exports: {} };
    modules.set(file, module);
    const require = (name) => {
      if (isBuiltin(name)) return root(name);
      const path = createRequire(file).resolve(name);
      return load(path);
    };
    require.resolve = createRequire(file).resolve;
    const names = ['module', 'exports', 'require', '__filename', '__dirname'];
    const how = { filename: file, parsingContext: context };
    const run = compileFunction(readFileSync(file, 'utf8'), names, how);
    run.call(module.exports, module, module.exports, require, file, dirname(file));
    return module.exports;
  }
  context.Any = load(root.resolve('${entry}')).${entry === 'cenote' ? 'Pool' : 'Piscina'};
  context.say = (...what) => console.log(...what);
  await runInContext(\`(async () => {
    const pool = new Any({ filename: process.env.TASKS, minThreads: 1, maxThreads: 2 });
    say(await pool.run(1), pool.run(1) instanceof Promise);
    // Plain values of this realm, and arrays and objects that are this realm's again.
    const echo = await pool.run([1, { a: 'x' }]);
    say(JSON.stringify(echo), echo instanceof Array, echo[1] instanceof Object);
    const { type, tag, bytes } = await pool.run(new Uint8Array(3), { name: 'inspect' });
    say(type, tag, bytes);
    const error = new TypeError('in it');
    const other = await pool.run({ map: new Map([[1, 2]]), date: new Date(5), error });
    say(other.map.get(1), +other.date, other.error.name, other.error.message);
    const thrown = await pool.run('of the user', { name: 'throwError' }).catch((error) => error);
    say(thrown instanceof RangeError, thrown.message);
    const refused = await pool.run(() => {}).catch((error) => error);
    say(refused.name);
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = pool.run({ ms: 1e6 }, { name: 'pause', signal }).catch((error) => error);
    await pool.run(1);
    controller.abort();
    say((await aborted).name);
    const ends = await pool.run({ ms: 20, value: 3 }, { name: 'pause' });
    if (${entry === 'cenote'}) {
      const late = await pool.run({ ms: 1e6 }, { name: 'pause', timeout: 50 }).catch((error) => error);
      say(late instanceof Error, late.code);
    }
    await pool.close();
    say(ends, 'closed');
  })()\`, context);
`;

// A clone's objects are those of the thread, not of the context that the package was loaded in.
const ofContext = process.env.CENOTE_WIRE !== 'port';
const expected = [
  '1 true',
  `[1,{"a":"x"}] ${ofContext} ${ofContext}`,
  'object [object Uint8Array] 3',
  '2 5 TypeError in it',
  'true of the user',
];
const rest = {
  cenote: ['TypeError', 'AbortError', 'true ERR_CENOTE_TIMEOUT', '3 closed'],
  'cenote/piscina': ['DataCloneError', 'AbortError', '3 closed'],
};

for (const [entry, more] of Object.entries(rest)) {
  test(`${entry} in a browser-like context of its own`, watched, async () => {
    const { code, stdout, stderr } = await runProgram(program(entry));
    assert.deepEqual(stdout.trim().split('\n'), [...expected, ...more], stderr);
    assert.equal(code, 0, stderr);
  });
}
