// What the behaviour tests share: tests that a hang fails, pools that do not outlive their test,
// conditions to wait for, and programs that run in a process of their own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Pool } from 'cenote';
import words from './words-in-files.cjs';

/** Whether the environment says that workers are processes (`CENOTE_RUNTIME`). */
export const { overProcesses } = words;
const { refresh, wordsInFile } = words;

/** Far above what any of these tests needs, and below what the runner gives a file. */
const kTestMs = 30_000;
const kConditionMs = 20_000;

/** The environment says that the portable waiter is to be used. */
export const portable = process.env.CENOTE_FORCE_PORTABLE === '1';

if (overProcesses) {
  // The fixtures' `Atomics` in worker processes.
  const words = fileURLToPath(new URL('./words-in-files.cjs', import.meta.url));
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --require=${JSON.stringify(words)}`;
  // Tests that end or count threads do so with processes.
  const asThread = (child) =>
    Object.assign(child, {
      threadId: child.pid,
      terminate: () => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        return ended;
      },
    });
  Object.defineProperty(Pool.prototype, 'threads', {
    get() {
      return this.processes.map(asThread);
    },
  });
}

/** Node's version as a number: 22.18 is 22.018. */
export const nodeVersion = (() => {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major + minor / 1000;
})();

/**
 * The options of a test that is to fail if it hangs: `test(name, watched, body)`. Call `test` in
 * the test file itself: the runner names the file and line of that call when the test fails.
 */
export const watched = { timeout: kTestMs };

/** The path of a fixture. */
export function fixture(name) {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** A pool over `fixtures/tasks.cjs` that is destroyed at the end of the test. */
export function poolFor(t, options = {}) {
  const pool = new Pool({ filename: fixture('tasks.cjs'), ...options });
  t.after(() => pool.destroy());
  return pool;
}

/** Shared numbers, all 0, that tests and tasks talk through. */
export function sharedWords(count = 8) {
  if (overProcesses) return wordsInFile(count);
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

/** Resolves when the condition holds; it is looked at every few milliseconds, and not for ever. */
export async function until(what, condition) {
  const deadline = performance.now() + kConditionMs;
  for (refresh(); !condition(); refresh()) {
    if (performance.now() > deadline) assert.fail(`did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/**
 * Resolves when the promise that `condition` returns fulfils with true; asked every few
 * milliseconds, and not for ever.
 */
export async function untilSo(what, condition) {
  const deadline = performance.now() + kConditionMs;
  for (refresh(); !(await condition()); refresh()) {
    if (performance.now() > deadline) assert.fail(`did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A task that blocks its worker's thread from `started` until `release()`. */
export function blocker(pool, options) {
  const words = sharedWords();
  const done = pool.run({ words }, { ...options, name: 'block' });
  // Whoever cares for the rejection still sees it.
  done.catch(() => {});
  return {
    done,
    started: until('the blocker runs', () => Atomics.load(words, 0) > 0),
    release() {
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
    },
  };
}

/** Waits until so many workers are ready. */
export function readyWorkers(pool, count) {
  return until(
    `${count} ready workers`,
    () => pool.stats().workers.filter(({ state }) => state === 'ready').length === count,
  );
}

/** Runs an ES module's text in a process of its own. */
export function runProgram(source, { env = {}, args = [], limitMs = 25_000 } = {}) {
  const child = spawn(process.execPath, [...args, '--input-type=module', '--eval', source], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, TASKS: fixture('tasks.cjs'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the program did not end:\n${output.stdout}\n${output.stderr}`));
    }, limitMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output });
    });
  });
}
