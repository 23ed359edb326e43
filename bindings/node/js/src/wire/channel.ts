// The memory that a pool's thread (the owner) and one of its workers share: every word of both.
//
// A *slot* is the entry of one task that the owner has given to the worker. Its state says who may
// do what; there are no counters or generations in it, so none can wrap. A slot is given to
// another task only once the worker has read past its entry: an entry in the ring, a value in a
// port and a slot belong to one another for as long as they exist.
//
// | state    | entered by                   | next                                             |
// |----------|------------------------------|--------------------------------------------------|
// | FREE     |                              | the owner writes a task here, and posts it       |
// | POSTED   | owner: store, then the ring  | worker claims; owner revokes: one exchange wins   |
// | CLAIMED  | worker: exchange from POSTED | worker publishes the result in the result ring;  |
// |          |                              | owner reads it and stores FREE                   |
// | REVOKED  | owner: exchange from POSTED  | worker reads past the entry and stores FREE      |
//
// So a task runs if and only if its claim succeeded. What is POSTED when a worker dies had not
// begun, nor had what is CLAIMED and not *entered*: its value was being read. What was entered and
// is not in the result ring had begun, and is lost.
//
// Two *rings* hold numbers of slots, in order: tasks to the worker, results to the owner. A slot is
// in each at most once, so neither overflows. The writer of a ring writes the slot's words and the
// entry, and then stores the tail, sequentially consistent as all of Atomics; the reader loads the
// tail before it reads them. That makes plain accesses to the words of a slot ordered.
//
// Each direction has an *arena* (arena.ts), where the sender puts the words of values (codec.ts).
// Only the sender allocates and frees there: the owner when a task was taken back or its result was
// read, the worker when the owner has freed the slot. A slot says by which *path* its value goes,
// and where its words begin. A third part holds the shapes that each direction has defined.
//
// The tails and kControls are compared for a difference only, and lag by less than the number of
// slots, or by messages that are in a port: they would have to wrap at 2^32 in between to be wrong.
//
// Words that different threads write lie a cache line apart.

import { AtomicsLoad, AtomicsStore } from '../base/intrinsics.js';
import { kArenaWords } from './arena.js';
import { kShapeWords } from './shapes.js';

/** 32-bit words in a cache line. */
const kLine = 16;

// The header, a line for each writer.
/** Worker: how many results it has published. */
const kResultTail = 0;
/** Owner: how many tasks it has posted. */
const kTaskTail = kLine;
/** Worker: registered background work now alive, and ended well. */
export const kBackgroundActive = 2 * kLine;
export const kBackgroundCompleted = kBackgroundActive + 1;
/** Worker: how many control messages it has posted. */
export const kControlsToOwner = kBackgroundActive + 2;
/** Worker: what its heap used lately, in MiB, if the owner wants to know. */
export const kHeapMb = kBackgroundActive + 3;
/** Worker: 1 once its thread ends. */
export const kEnded = kBackgroundActive + 4;
/** Owner: how many control messages it has posted. */
export const kControlsToWorker = 3 * kLine;
/** Owner: bumped after it asked a running task to end. */
export const kAsks = kControlsToWorker + 1;
/** 1 while a kick is under way in the control port: to the owner, and to the worker. */
export const kOwnerKicked = 4 * kLine;
export const kWorkerKicked = 5 * kLine;
const kHeaderWords = 6 * kLine;

// A slot: one line.
const kState = 0;
/** What its task is asked. Written by the owner. */
const kAsk = 1;
/** The index of its handler. */
const kHandler = 2;
/** How the value goes: kInWords, or one of those behind it. */
const kPath = 3;
/** Of a task: 1 if it may cost the worker. Of a result: its code. */
const kCode = 4;
/** Of a task: 1 from when its handler is called on. Read when the worker is dead. */
const kEntered = 15;
/** Of a result: not 0 while output that its task wrote may be on its way. */
const kMark = 5;
/** Times in ms on the owner's clock, as indices of 64-bit words. */
const kPostedAt = 3;
const kStartedAt = 4;
const kRunMs = 5;
const kWakeMs = 6;
/** Where the words of the value begin. */
const kValueAt = 14;

/** How the value of a slot goes. It lies in the arena, */
export const kInWords = 0;
/** or the large buffers of it lie in the port, on their way to be moved; */
export const kInWordsAndPort = 1;
/** or all of it does, as words, since the arena has no room; */
export const kWordsByPort = 2;
/** or as a structured clone, since it has no form in words; */
export const kCloned = 3;
/** since the last of its kind had none, so that it was not tried; */
export const kClonedUntried = 4;
/** or since it has a transfer list. */
export const kTransferred = 5;
export const kPathCount = 6;

export const kFree = 0;
export const kPosted = 1;
export const kClaimed = 2;
export const kRevoked = 3;

/** What a slot's task is asked: nothing, or to end, because it was aborted or its time is over. */
export const kAskNothing = 0;
export const kAskAborted = 1;
export const kAskTimeout = 2;

/** The run time of a task that has not ended. */
export const kStillRunning = -1;

/** The most tasks that one worker holds beyond those it may run at once. */
export const kPrefetchMax = 64;

/** What a worker needs to open the channel. Structured-cloneable. */
export interface ChannelMemory {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly shapeWords: number;
  readonly arenaWords: number;
  /** No value goes in words. */
  readonly byPort: boolean;
  /** What the tails start at: 0, but for tests of what happens when they wrap. */
  readonly firstTail: number;
}

function ringWords(slots: number): number {
  let words = kLine;
  while (words < slots) words *= 2;
  return words;
}

/** Where the parts of the two directions begin. */
function partsAt(slots: number): number {
  return kHeaderWords + slots * kLine + 2 * ringWords(slots);
}

/** Where a direction of the channel has its shapes, and its arena, which ends at `endAt`. */
export interface Direction {
  readonly shapesAt: number;
  readonly arenaAt: number;
  readonly endAt: number;
}

/** The memory of a channel with room for `slots` tasks. The sizes are others in tests. */
export function createChannelMemory(
  slots: number,
  { shapeWords = kShapeWords, arenaWords = kArenaWords, byPort = false, firstTail = 0 } = {},
): ChannelMemory {
  const words = partsAt(slots) + 2 * (shapeWords + arenaWords);
  const buffer = new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT);
  const cells = new Int32Array(buffer);
  cells[kTaskTail] = firstTail;
  cells[kResultTail] = firstTail;
  return { buffer, slots, shapeWords, arenaWords, byPort, firstTail };
}

/** The channel, as either side sees it. */
export class Channel {
  /** All of its words. The state and the header are for Atomics only. */
  readonly cells: Int32Array;
  readonly slots: number;
  readonly #times: Float64Array;
  readonly #ringWords: number;
  readonly #memory: ChannelMemory;

  constructor(memory: ChannelMemory) {
    const { buffer, slots } = memory;
    this.#memory = memory;
    this.cells = new Int32Array(buffer);
    this.slots = slots;
    this.#times = new Float64Array(buffer);
    this.#ringWords = ringWords(slots);
  }

  /** The ring from the owner to the worker. */
  get tasks(): RingWords {
    const at = kHeaderWords + this.slots * kLine;
    return this.#ring(kTaskTail, at);
  }

  /** The ring from the worker to the owner. */
  get results(): RingWords {
    const at = kHeaderWords + this.slots * kLine + this.#ringWords;
    return this.#ring(kResultTail, at);
  }

  #ring(tailAt: number, at: number): RingWords {
    return {
      cells: this.cells,
      tailAt,
      firstTail: this.#memory.firstTail,
      at,
      length: this.#ringWords,
    };
  }

  /** The index in {@link cells} of a slot's state, for Atomics. */
  stateAt(slot: number): number {
    return kHeaderWords + slot * kLine + kState;
  }

  /** The index in {@link cells} of what a slot's task is asked, for Atomics. */
  askAt(slot: number): number {
    return kHeaderWords + slot * kLine + kAsk;
  }

  /** The index in {@link cells} of a slot's mark, for Atomics. */
  markAt(slot: number): number {
    return kHeaderWords + slot * kLine + kMark;
  }

  get byPort(): boolean {
    return this.#memory.byPort;
  }

  /** What the owner sends by. */
  get toWorker(): Direction {
    return this.#direction(0);
  }

  /** What the worker sends by. */
  get toOwner(): Direction {
    return this.#direction(1);
  }

  #direction(which: number): Direction {
    const { shapeWords, arenaWords } = this.#memory;
    const shapesAt = partsAt(this.slots) + which * (shapeWords + arenaWords);
    const arenaAt = shapesAt + shapeWords;
    return { shapesAt, arenaAt, endAt: arenaAt + arenaWords };
  }

  pathOf(slot: number): number {
    return this.cells[kHeaderWords + slot * kLine + kPath]!;
  }

  setPath(slot: number, path: number): void {
    this.cells[kHeaderWords + slot * kLine + kPath] = path;
  }

  /** Where in {@link cells} the words of a slot's value begin. */
  valueAt(slot: number): number {
    return this.cells[kHeaderWords + slot * kLine + kValueAt]!;
  }

  setValueAt(slot: number, at: number): void {
    this.cells[kHeaderWords + slot * kLine + kValueAt] = at;
  }

  handlerOf(slot: number): number {
    return this.cells[kHeaderWords + slot * kLine + kHandler]!;
  }

  setHandler(slot: number, handler: number): void {
    this.cells[kHeaderWords + slot * kLine + kHandler] = handler;
  }

  wasEntered(slot: number): boolean {
    return this.cells[kHeaderWords + slot * kLine + kEntered] !== 0;
  }

  setEntered(slot: number, entered: boolean): void {
    this.cells[kHeaderWords + slot * kLine + kEntered] = entered ? 1 : 0;
  }

  codeOf(slot: number): number {
    return this.cells[kHeaderWords + slot * kLine + kCode]!;
  }

  setCode(slot: number, code: number): void {
    this.cells[kHeaderWords + slot * kLine + kCode] = code;
  }

  /** When a task was posted to an idle worker; 0 if the worker was not idle. */
  postedAt(slot: number): number {
    return this.#time(slot, kPostedAt);
  }

  setPostedAt(slot: number, ms: number): void {
    this.#setTime(slot, kPostedAt, ms);
  }

  startedAt(slot: number): number {
    return this.#time(slot, kStartedAt);
  }

  setStartedAt(slot: number, ms: number): void {
    this.#setTime(slot, kStartedAt, ms);
  }

  runMs(slot: number): number {
    return this.#time(slot, kRunMs);
  }

  setRunMs(slot: number, ms: number): void {
    this.#setTime(slot, kRunMs, ms);
  }

  wakeMs(slot: number): number {
    return this.#time(slot, kWakeMs);
  }

  setWakeMs(slot: number, ms: number): void {
    this.#setTime(slot, kWakeMs, ms);
  }

  #time(slot: number, which: number): number {
    return this.#times[(kHeaderWords + slot * kLine) / 2 + which]!;
  }

  #setTime(slot: number, which: number, ms: number): void {
    this.#times[(kHeaderWords + slot * kLine) / 2 + which] = ms;
  }
}

/** Where a ring lies. Its length is a power of two. */
interface RingWords {
  readonly cells: Int32Array;
  readonly tailAt: number;
  readonly firstTail: number;
  readonly at: number;
  readonly length: number;
}

/** The side of a ring that adds slots. */
export class RingWriter {
  readonly #words: RingWords;
  #tail: number;

  constructor(words: RingWords) {
    this.#words = words;
    this.#tail = words.firstTail;
  }

  /** Publishes a slot, with all that was written before. */
  push(slot: number): void {
    const { cells, tailAt, at, length } = this.#words;
    cells[at + (this.#tail & (length - 1))] = slot;
    this.#tail = (this.#tail + 1) | 0;
    AtomicsStore(cells, tailAt, this.#tail);
  }
}

/** The side of a ring that takes them. */
export class RingReader {
  readonly #words: RingWords;
  #head: number;

  constructor(words: RingWords) {
    this.#words = words;
    this.#head = words.firstTail;
  }

  /** The next slot, which stays there; -1 if there is none. */
  peek(): number {
    const { cells, tailAt, at, length } = this.#words;
    if (AtomicsLoad(cells, tailAt) === this.#head) return -1;
    return cells[at + (this.#head & (length - 1))]!;
  }

  /** Drops the slot that {@link peek} gave. */
  advance(): void {
    this.#head = (this.#head + 1) | 0;
  }
}
