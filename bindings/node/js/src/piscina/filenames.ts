// From what users call a file to the `file:` URL that a worker imports.
//
// Piscina requires the path, so it may leave out an extension or name a directory; `import()` takes
// neither. A path that is no file is therefore looked up as `require` does it.

import { statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { SafeMap } from '../base/intrinsics.js';
import { toPath } from './options.js';

/** What was found; few files are named, but often. */
const urls = new SafeMap<string, string>();
/** Somebody who names a new file for each task shall not fill the memory. */
const kRemembered = 1_000;

export function urlOf(filename: string): string {
  let url = urls.get(filename);
  if (url === undefined) {
    const path = toPath(filename);
    url = pathToFileURL(isFile(path) ? path : lookUp(path)).href;
    if (urls.size >= kRemembered) urls.clear();
    urls.set(filename, url);
  }
  return url;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function lookUp(path: string): string {
  try {
    return require.resolve(path);
  } catch {
    // The worker reports that there is no such file.
    return path;
  }
}
