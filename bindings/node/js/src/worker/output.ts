// What this worker thread has written to stdout and stderr, and the owner's thread does not have yet.
//
// A worker's streams send chunks to the owner's thread, which answers each; what is unanswered is what
// they hold. What handlers do to the streams must not keep a result from its caller: one that was
// ended, destroyed or corked is not waited for, and a `write` of the handler's own is not called.

import { Writable } from 'node:stream';

const { stdout, stderr } = process;
const write = Writable.prototype.write as (
  this: Writable,
  text: string,
  encoding: 'utf8',
  done: () => void,
) => boolean;

/** Whether anything is on its way. Asked after every task. */
export function hasOutput(): boolean {
  return stdout.writableLength + stderr.writableLength > 0;
}

/** Calls back when everything that was written by now is with the owner. */
export function afterOutput(done: () => void): void {
  let left = 1;
  const one = (): void => {
    if (--left === 0) done();
  };
  for (const output of [stdout, stderr]) {
    if (output.writableLength === 0 || !output.writable || output.writableCorked > 0) continue;
    left++;
    write.call(output, '', 'utf8', one);
  }
  one();
}
