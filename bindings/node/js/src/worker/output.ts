// What this worker thread has written to stdout and stderr, and the owner's thread does not have
// yet.
//
// A worker's streams post chunks to the owner's thread, which asks for more after each. It asks
// once before the first as well, and a stream takes any such message for the answer to what it has
// posted. So an answer may be one message ahead: it says that the owner has all but the last. To
// know of the last, an empty one is posted behind it.
//
// What handlers do to the streams must not keep a result from its caller: one that was ended,
// destroyed or corked is not waited for; a `write` of the handler's own is not called, nor anything
// else that the handler put on the stream where a stream has its own; and what throws all the same
// counts as no output.

import { Writable } from 'node:stream';
import { isMainThread } from 'node:worker_threads';
import { ObjectGetOwnPropertyDescriptor, ReflectApply, uncurry } from '../base/intrinsics.js';

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

/** One stream, and how many messages it has posted that are not empty. */
class Output {
  readonly #stream: Writable;
  #posted = 0;
  /** So many are with the owner, as far as is known. */
  #arrived = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
    const { _writev: post } = stream;
    // Runtimes differ in it: without, all that is known is what the stream holds. In a process of
    // its own that is all there is to know: what left it is with the system.
    if (isMainThread || typeof post !== 'function') return;
    const count = (chunks: Chunks): void => {
      if (!areEmpty(chunks)) this.#posted++;
    };
    stream._writev = function (this: Writable, ...args) {
      count(args[0]);
      ReflectApply(post, this, args);
    };
  }

  get isOnItsWay(): boolean {
    return this.#posted !== this.#arrived || lengthOf(this.#stream) > 0;
  }

  /** Calls back once the owner has what was written by now. May throw instead. */
  whenArrived(done: () => void): void {
    if (!isWritable(this.#stream) || corksOf(this.#stream) > 0) {
      this.#arrived = this.#posted;
      done();
    } else if (lengthOf(this.#stream) > 0) {
      // Behind what the stream holds, in the same message perhaps.
      write(this.#stream, '', 'utf8', () => this.#confirm(done));
    } else if (this.isOnItsWay) {
      this.#confirm(done);
    } else {
      done();
    }
  }

  #confirm(done: () => void): void {
    const posted = this.#posted;
    write(this.#stream, '', 'utf8', () => {
      if (posted > this.#arrived) this.#arrived = posted;
      done();
    });
  }
}

type Chunks = readonly { readonly chunk: unknown }[];

function areEmpty(chunks: Chunks): boolean {
  for (let i = 0; i < chunks.length; i++) {
    if ((chunks[i]!.chunk as { readonly length: number }).length > 0) return false;
  }
  return true;
}

const outputs = [new Output(process.stdout), new Output(process.stderr)] as const;

/** Whether anything is on its way. Asked after every task; never throws. */
export function hasOutput(): boolean {
  try {
    return outputs[0].isOnItsWay || outputs[1].isOnItsWay;
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
  const ask = (output: Output): void => {
    let answered = false;
    const answer = (): void => {
      if (answered) return;
      answered = true;
      one();
    };
    left++;
    try {
      output.whenArrived(answer);
    } catch {
      answer();
    }
  };
  ask(outputs[0]);
  ask(outputs[1]);
  one();
}
