// What this thread is to a pool: whether it is a worker of one, with which `workerData`, and which
// files it is loading right now.
//
// A file that makes a pool of itself where it is loaded would start threads for ever: each of them
// loads it and makes a pool in turn. So while a worker loads a file, its `setup` included, nobody
// can make a pool of that file on this thread, nor run it there by name. A circle may have more
// files than one: so a pool that is made meanwhile keeps the list of what was being loaded, and
// hands it to each thread that it ever starts, also to one that takes the place of another.
//
// All of it is kept at a registered symbol of the global object and not in this module: a worker's
// own copy of the package, and the user's, may be different ones.

import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { recursivePool } from '../errors.js';
import { ObjectDefineProperty, ObjectFreeze } from '../base/intrinsics.js';
import type { LoadingFiles } from '../wire/messages.js';

const kWorkerThread = Symbol.for('cenote.workerThread');
const realPath = realpathSync.native;

interface WorkerThread {
  readonly workerData: unknown;
  /** What is being loaded on this thread, and was on those above when its pool was made. */
  readonly loading: { own: LoadingFiles; readonly above: LoadingFiles };
}

function read(): WorkerThread | undefined {
  return (globalThis as { [kWorkerThread]?: WorkerThread })[kWorkerThread];
}

/**
 * Says that this thread belongs to a pool. Called once, before any of the user's code. `above`:
 * {@link loadingNow} of the thread where the pool was made, at that time.
 */
export function markWorkerThread(workerData: unknown, above: LoadingFiles): void {
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
  return () => {
    loading.own = without(loading.own, path);
  };
}

/** What a pool that is made now hands to its threads: null where nothing is being loaded. */
export function loadingNow(): LoadingFiles {
  const loading = read()?.loading;
  if (loading === undefined || loading.own === null) return null;
  let files = loading.above;
  for (let file: LoadingFiles = loading.own; file !== null; file = file.next)
    files = { path: file.path, next: files };
  return files;
}

/**
 * Throws if a pool of the file would start threads without end: while this thread loads that same
 * file, or its pool was made where that file was being loaded.
 */
export function refuseRecursion(url: string): void {
  const loading = read()?.loading;
  if (loading === undefined || loading.own === null) return;
  const path = identityOf(url);
  if (!has(loading.own, path) && !has(loading.above, path)) return;
  throw recursivePool(path);
}

function has(files: LoadingFiles, path: string): boolean {
  for (let file = files; file !== null; file = file.next) if (file.path === path) return true;
  return false;
}

/** The chain without the newest entry of a path. */
function without(files: LoadingFiles, path: string): LoadingFiles {
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
