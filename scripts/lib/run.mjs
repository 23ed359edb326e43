// Runs one command, under a watchdog.
//
// Guarantees: a command that outlives its limit is ended with everything it started; a signal to
// the script ends the command as well; nothing that it leaves running outlives it; nothing waits
// for input.
//
// On POSIX the command leads a process group of its own, so that one kill reaches its descendants
// too.

import { spawn } from 'node:child_process';
import { root } from './root.mjs';

const ownGroup = process.platform !== 'win32';

function killTree(child, signal) {
  try {
    if (ownGroup) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch (error) {
    // Everything in the group has ended already.
    if (error.code !== 'ESRCH') throw error;
  }
}

/**
 * Runs `command` and resolves to `{ code, signal, output, timedOut, ms }`; it rejects only if the
 * command cannot be started at all.
 *
 * - `env`: variables on top of the script's own; `undefined` removes one.
 * - `cwd`: defaults to the checkout's root.
 * - `limitMs`: the watchdog; none by default.
 * - `show`: copy the output to the terminal while it runs. `output` holds stdout and stderr
 *   together either way.
 */
export function run(command, args, { env = {}, cwd = root, limitMs, show = false } = {}) {
  return new Promise((resolve, reject) => {
    const started = Date.now();
    const childEnv = { ...process.env, ...env };
    for (const name of Object.keys(childEnv))
      if (childEnv[name] === undefined) delete childEnv[name];
    const child = spawn(command, args, {
      cwd,
      env: childEnv,
      detached: ownGroup,
      stdio: ['ignore', 'pipe', 'pipe'],
    });

    const chunks = [];
    const collect = (stream, terminal) =>
      stream.on('data', (chunk) => {
        chunks.push(chunk);
        if (show) terminal.write(chunk);
      });
    collect(child.stdout, process.stdout);
    collect(child.stderr, process.stderr);

    let timedOut = false;
    let lastResort;
    const watchdog =
      limitMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            // Asked first, a test runner says what it was running.
            child.kill('SIGINT');
            lastResort = setTimeout(() => killTree(child, 'SIGKILL'), 5_000);
          }, limitMs);

    const forward = (signal) => {
      killTree(child, signal);
      process.exit(1);
    };
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);

    const settled = () => {
      clearTimeout(watchdog);
      clearTimeout(lastResort);
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
    };
    child.on('error', (error) => {
      settled();
      reject(error);
    });
    child.on('exit', () => {
      // Whatever it left running holds the pipes open; without this `close` would wait for it.
      if (ownGroup) killTree(child, 'SIGKILL');
    });
    child.on('close', (code, signal) => {
      settled();
      const output = Buffer.concat(chunks).toString('utf8');
      resolve({ code, signal, output, timedOut, ms: Date.now() - started });
    });
  });
}
