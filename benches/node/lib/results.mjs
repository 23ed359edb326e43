// The results file: every cell with its raw figures, the medians, the bars, versions and the
// machine. JSON has no Infinity; a figure that never came is the string "never".

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const kNever = 'never';

/** Writes the results to `file` and makes its folder if need be. */
export function writeResults(file, results) {
  mkdirSync(dirname(file), { recursive: true });
  const text = JSON.stringify(results, (_, value) => (value === Infinity ? kNever : value), 2);
  writeFileSync(file, `${text}\n`);
}

/** Reads what `writeResults` wrote. */
export function readResults(file) {
  return JSON.parse(readFileSync(file, 'utf8'), (_, value) =>
    value === kNever ? Infinity : value,
  );
}
