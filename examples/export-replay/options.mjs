/** The command line: its options, their checks, and the help text. */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PlainError, usageError } from './errors.mjs';
import { kPoolNames } from './pools.mjs';
import { printable } from './progress.mjs';

const kCheckout = fileURLToPath(new URL('../../', import.meta.url)).replace(/[/\\]$/, '');
const kExcludedInCheckout = ['.git', 'node_modules', 'target', 'dist', 'out'];
const kDefaultPools = ['cenote', 'piscina'];
const kDefaultConcurrency = 64;
const kMaxConcurrency = 10_000;
/** With fewer tasks than this the percentiles say little, so the files are gone through again. */
export const kEnoughTasks = 2000;

/** How long the task lasts that `--wake` gives every worker. */
export const kWakeMs = 3000;

export const usage = `Usage: npm start -- [options]

For every file under a folder, a pool task computes SHA-256 and gzip size and
leaves behind an HTTP POST of the record to a collector on loopback. The same
is done with each pool; a table compares them.

  --dir PATH         the folder (default: this checkout, without
                     ${kExcludedInCheckout.join(', ')})
  --limit N          take at most N files (default: all)
  --repeat N         go through the files N times (default: as often as it takes
                     for ${kEnoughTasks.toLocaleString('en-US')} tasks)
  --concurrency N    tasks in flight, 1 to ${kMaxConcurrency.toLocaleString('en-US')}
                     (default: ${kDefaultConcurrency})
  --pools A,B        any of ${kPoolNames.join(', ')}
                     (default: ${kDefaultPools.join(',')})
  --wake             after the count, give every worker one asynchronous task of
                     ${kWakeMs / 1000} s and count again: what was held back moves on
  --help             show this text

Symlinks are not followed. Files and folders that cannot be read are named and
skipped. Exit code: 0; 1 for a wrong option or folder, a failed task or results
that differ; 130 after Ctrl-C.`;

/** @throws {PlainError} */
export function parseOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        dir: { type: 'string' },
        limit: { type: 'string' },
        repeat: { type: 'string' },
        concurrency: { type: 'string' },
        pools: { type: 'string' },
        wake: { type: 'boolean', default: false },
        help: { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw usageError(error.message);
  }
  if (values.help) return { help: true };

  return {
    ...folder(values.dir),
    limit: integer(values, 'limit') ?? Infinity,
    repeat: integer(values, 'repeat'),
    concurrency: integer(values, 'concurrency', kMaxConcurrency) ?? kDefaultConcurrency,
    pools: poolNames(values.pools),
    wake: values.wake,
  };
}

function folder(given) {
  // npm runs scripts in the package's folder and says in INIT_CWD where the user typed.
  const { npm_lifecycle_event: script, INIT_CWD: typedIn } = process.env;
  const base = (script === 'start' && typedIn) || process.cwd();
  const root = given === undefined ? kCheckout : path.resolve(base, given);
  if (given === '') throw usageError('--dir needs a path');
  let stat;
  try {
    stat = statSync(root);
  } catch (error) {
    const reason = error.code === 'ENOENT' ? 'no such folder' : `cannot be read (${error.code})`;
    throw new PlainError(`${printable(root)}: ${reason}`);
  }
  if (!stat.isDirectory()) throw new PlainError(`${printable(root)}: not a folder`);
  const isCheckout = realpathSync(root) === realpathSync(kCheckout);
  return { root, excluded: new Set(isCheckout ? kExcludedInCheckout : []) };
}

function integer(values, name, max = Number.MAX_SAFE_INTEGER) {
  const text = values[name];
  if (text === undefined) return undefined;
  const number = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(number >= 1 && number <= max)) {
    const range = max === Number.MAX_SAFE_INTEGER ? 'of at least 1' : `from 1 to ${max}`;
    throw usageError(`--${name} must be a whole number ${range}, not '${text}'`);
  }
  return number;
}

function poolNames(text) {
  if (text === undefined) return kDefaultPools;
  const names = [...new Set(text.split(','))];
  for (const name of names) {
    if (!kPoolNames.includes(name)) {
      throw usageError(`--pools: unknown pool '${name}' (known: ${kPoolNames.join(', ')})`);
    }
  }
  return names;
}
