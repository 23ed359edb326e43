// What this thread is to a pool: whether it is a worker of one, with which `workerData`, and which
// files it is loading right now.
//
// A file that makes a pool of itself where it is loaded would start threads for ever: each of them
// loads it and makes a pool in turn. So while a worker loads a file, its `setup` included, nobody
// can make a pool of that file on this thread, nor run it there by name; and neither, on the
// threads that were started meanwhile, for as long as these load, however many files the circle
// has. Node hands the list down to those threads as environment data.
//
// All of it is kept at a registered symbol of the global object and not in this module: a worker's
// own copy of the package, and the user's, may be different ones.

import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as workerThreads from 'node:worker_threads';
import { recursivePool } from '../errors.js';
import { ObjectDefineProperty, ObjectFreeze } from '../base/intrinsics.js';

const kWorkerThread = Symbol.for('cenote.workerThread');
const kEnvironmentKey = 'cenote.loading';
const { setEnvironmentData, getEnvironmentData } = workerThreads;
const realPath = realpathSync.native;

/** Real paths, each once for each load. A chain, which the prototype of arrays has no part in. */
type Files = { readonly path: string; readonly next: Files } | null;

interface WorkerThread {
  readonly workerData: unknown;
  /** What is being loaded on this thread, and was on those above it when they started this one. */
  readonly loading: { own: Files; readonly above: Files };
}

function read(): WorkerThread | undefined {
  return (globalThis as { [kWorkerThread]?: WorkerThread })[kWorkerThread];
}

/** Says that this thread belongs to a pool. Called once, before any of the user's code. */
export function markWorkerThread(workerData: unknown): void {
  const above = (getEnvironmentData?.(kEnvironmentKey) ?? null) as unknown as Files;
  ObjectDefineProperty(globalThis, kWorkerThread, {
    __proto__: null,
    value: ObjectFreeze({ workerData, loading: { own: null, above } }),
    enumerable: false,
    configurable: true,
  } as PropertyDescriptor);
}

/** Notes that this thread loads a file. Returns what says that it has loaded it. */
export function beginLoading(url: string): () => void {
  const loading = read()?.loading;
  if (loading === undefined) return () => {};
  const path = identityOf(url);
  loading.own = { path, next: loading.own };
  handDown(loading);
  return () => {
    loading.own = without(loading.own, path);
    handDown(loading);
  };
}

/**
 * Throws if a pool of the file would start threads without end: while this thread, or the threads
 * that it was started from, load that same file.
 */
export function refuseRecursion(url: string): void {
  const loading = read()?.loading;
  if (loading === undefined || loading.own === null) return;
  const path = identityOf(url);
  if (!has(loading.own, path) && !has(loading.above, path)) return;
  throw recursivePool(path);
}

/** Threads that start from now on learn what is being loaded. */
function handDown({ own, above }: WorkerThread['loading']): void {
  if (setEnvironmentData === undefined) return;
  let files: Files = own === null ? null : above;
  for (let file = own; file !== null; file = file.next) files = { path: file.path, next: files };
  // `undefined` deletes it.
  setEnvironmentData(kEnvironmentKey, (files ?? undefined) as never);
}

function has(files: Files, path: string): boolean {
  for (let file = files; file !== null; file = file.next) if (file.path === path) return true;
  return false;
}

/** The chain without the newest entry of a path. */
function without(files: Files, path: string): Files {
  if (files === null || files.path === path) return files === null ? null : files.next;
  return { path: files.path, next: without(files.next, path) };
}

/** What a file is known by, whatever it is called: by a link, or with a query. */
function identityOf(url: string): string {
  const path = fileURLToPath(url);
  try {
    return realPath(path);
  } catch {
    // It does not exist, or may not be looked at.
    return path;
  }
}

/** Whether this thread belongs to a pool. */
export function isWorkerThread(): boolean {
  return read() !== undefined;
}

/** The pool's `workerData` in one of its workers, else undefined. */
export function workerDataOf(): unknown {
  return read()?.workerData;
}
