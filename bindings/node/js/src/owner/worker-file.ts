// The file that every worker thread runs, and whether it is there.
//
// It lies at a fixed place beside this code. A bundler that copies the package into a program's own
// file leaves it behind, and every thread would end at once for want of it. So the first pool of a
// thread looks, and says what to do.
//
// A mock of `fs` may hide all files, and then proves nothing: the file counts as missing only where
// this one is seen.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundled } from '../errors.js';

/** What every worker thread runs; empty where nobody can say. */
export const kWorkerFile = placeOfWorkerFile();

/**
 * Written so that tools which copy the files that a program needs (Next's `standalone`, for one)
 * see what is meant: a condition before it would hide it from them.
 */
function placeOfWorkerFile(): string {
  try {
    return join(__dirname, '..', 'worker', 'main.js');
  } catch {
    // A bundle that is an ES module has no such variable.
    return '';
  }
}

let missing: boolean | undefined;

/** @throws CenoteError (`ERR_CENOTE_BUNDLED`) where worker threads have no file to run. */
export function requireWorkerFile(): void {
  missing ??= isMissing();
  if (missing) throw bundled(kWorkerFile);
}

function isMissing(): boolean {
  if (kWorkerFile === '') return true;
  // A program may have a file of that name, without what ours says.
  if (existsSync(kWorkerFile) && isOurs(kWorkerFile)) return false;
  return typeof __filename !== 'string' || existsSync(__filename);
}

function isOurs(file: string): boolean {
  try {
    return readFileSync(file, 'utf8').includes('the entry of a cenote worker');
  } catch {
    // It may not be read here; whether it runs, the threads will tell.
    return true;
  }
}
