// What this worker thread has written to stdout and stderr, and the owner's thread does not have
// yet.
//
// A worker's streams send chunks to the owner's thread, which answers each; what is unanswered is
// what they hold. What handlers do to the streams must not keep a result from its caller: one that
// was ended, destroyed or corked is not waited for; a `write` of the handler's own is not called,
// nor anything else that the handler put on the stream where a stream has its own; and what throws
// all the same counts as no output.

import { Writable } from 'node:stream';
import { ObjectGetOwnPropertyDescriptor, uncurry } from '../base/intrinsics.js';

const { stdout, stderr } = process;
const write = uncurry(
  Writable.prototype.write as (
    this: Writable,
    text: string,
    encoding: 'utf8',
    done: () => void,
  ) => boolean,
);
const lengthOf = getterOf<number>('writableLength');
const isWritable = getterOf<boolean>('writable');
const corksOf = getterOf<number>('writableCorked');

function getterOf<T>(key: keyof Writable): (stream: Writable) => T {
  const { get } = ObjectGetOwnPropertyDescriptor(Writable.prototype, key) ?? {};
  // Runtimes differ in what they inherit.
  if (get === undefined) return (stream) => stream[key] as T;
  return uncurry(get as (this: Writable) => T);
}

/** Whether anything is on its way. Asked after every task; never throws. */
export function hasOutput(): boolean {
  try {
    return lengthOf(stdout) > 0 || lengthOf(stderr) > 0;
  } catch {
    return false;
  }
}

/** Calls back, once, when everything that was written by now is with the owner. Never throws. */
export function afterOutput(done: () => void): void {
  let left = 1;
  const one = (): void => {
    if (--left === 0) done();
  };
  const ask = (output: Writable): void => {
    let answered = false;
    const answer = (): void => {
      if (answered) return;
      answered = true;
      one();
    };
    left++;
    try {
      if (lengthOf(output) > 0 && isWritable(output) && corksOf(output) === 0)
        write(output, '', 'utf8', answer);
      else answer();
    } catch {
      answer();
    }
  };
  ask(stdout);
  ask(stderr);
  one();
}
