// What crosses while a task runs, by a port of its own: the parts of a stream, reports of progress,
// and the items of its input. The port goes with the task, and ends with it.
//
// Parts and items go by credits. Each side may send as many as the other has room for; whoever has
// taken some grants as many more. Reports are not bounded: their handler decides how many there
// are.

import type { MessagePort } from 'node:worker_threads';

// What a task carries beside its payload. A handler's tasks all carry the same.
/** Values that its `context` says. */
export const kCarriesValues = 1;
/** A port: it may report, and may have input. */
export const kCarriesPort = 2;
/** Its handler's result is a stream, whose parts go through the port. */
export const kStreams = 4;

/** A task that carries something: what it is called with, and what is beside it. */
export type Carried = readonly [
  values: Readonly<Record<string, unknown>> | undefined,
  payload: unknown,
  port: MessagePort | undefined,
  /** How many parts the reader has room for. */
  window: number,
  hasInput: boolean,
];

/** How many items of input may be on their way at once. */
export const kInputWindow = 16;

// What is sent, as `[tag, value]`.
/** To the owner: a part of the stream. */
export const kPart = 0;
/** To the owner: what the task reports. */
export const kReport = 1;
/** To the owner: room for so many more items of input. Negative: no more are wanted. */
export const kWantsInput = 2;
/** To the worker: room for so many more parts. Negative: the reader has left. */
export const kWantsParts = 3;
/** To the worker: an item of input. */
export const kInput = 4;
/** To the worker: the input has ended. */
export const kInputEnd = 5;
/** To the worker: the input failed, of a `WireFailure`. */
export const kInputError = 6;

export type TaskMessage = readonly [tag: number, value: unknown];
