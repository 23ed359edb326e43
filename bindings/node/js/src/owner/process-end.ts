// Worker processes end with the process that started them.
//
// A process that works in a loop does not see that its pipe is closed. So those that live are
// killed when this process, or the thread that owns them, exits. Where it is killed itself nobody
// can: they end in the next turn of their own loops.

import type { ChildProcess } from 'node:child_process';
import { SafeSet } from '../base/intrinsics.js';

const living = new SafeSet<ChildProcess>();
let listens = false;

/** Kills a process when this one exits, unless it has ended by then. */
export function killAtExit(child: ChildProcess): void {
  if (child.pid === undefined) return;
  if (!listens) {
    listens = true;
    process.on('exit', () => living.forEach((each) => each.kill('SIGKILL')));
  }
  living.add(child);
  child.on('exit', () => living.delete(child));
}
