// The command lines of run.mjs and compare.mjs.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `Usage: npm run bench -- [options]

  --rounds N        rounds over all scenarios and pools; figures are medians of them
                    (default 2, with --quick 1)
  --all             also c64-string, c64-flat, c64-1k, c64-10k and late
  --scenario A,B    only these scenarios
  --pool X,Y        only these pools
  --peer NAME=DIR   also the peer NAME (knitting), whose sources or package lie in DIR
  --quick           a quarter of each duration, one round: a check that all works, with rough
                    figures
  --json FILE       write the results to FILE too (always: benches/node/results/latest.json)
  --markdown FILE   write the comparison as Markdown to FILE
  --from FILE       measure nothing; show the results stored in FILE
  --help            show this text`;

export const compareUsage = `Usage: node benches/node/compare.mjs --against DIR [options]

Runs two builds of cenote alternately: the old one in DIR (another checkout with its dist/, or a
folder in which cenote is installed) and the new one of this checkout.

  --rounds N        rounds over all scenarios and pools (default 5)
  --scenario A,B    only these scenarios (default: seq,c64,burst,users,buf64k,load50,mixed,trickle;
                    also: seq-number, late, c64-number and the others of its kind)
  --pool X,Y        only these of cenote, cenote-spin0, cenote-1, cenote-piscina
                    (default: cenote,cenote-piscina)
  --scale X         multiplies each duration, 0.01 to 10 (default 1)
  --json FILE       write the results to FILE
  --help            show this text`;

/** What compare.mjs runs unless told otherwise, in its order. */
const kCompared = ['seq', 'c64', 'burst', 'users', 'buf64k', 'load50', 'mixed', 'trickle'];

/** What no ratio says anything about: next to no CPU time, timers that fire or do not, a count. */
const kNotCompared = ['idle', 'detach', 'blocked-main'];

/** A command line that cannot be followed; its message says why. */
export class UsageError extends Error {}

function parse(args, options) {
  try {
    return parseArgs({ args, options: { ...options, help: { type: 'boolean', default: false } } })
      .values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function choose(list, all, what) {
  if (list === undefined) return all;
  return list.split(',').map((name) => {
    const found = all.find((one) => one.name === name);
    if (found) return found;
    throw new UsageError(
      `unknown ${what} '${name}'; there are: ${all.map((one) => one.name).join(', ')}`,
    );
  });
}

function roundsOf(text, byDefault) {
  const rounds = Number(text ?? byDefault);
  if (Number.isInteger(rounds) && rounds >= 1) return rounds;
  throw new UsageError(`--rounds takes a whole number from 1, not '${text}'`);
}

/** The folders that `--peer NAME=DIR` gives, by name. */
function foldersOf(peers, pools) {
  const names = new Set(pools.flatMap(({ given }) => given ?? []));
  return Object.fromEntries(
    peers.map((text) => {
      const [, name, folder] = /^([^=]+)=(.+)$/.exec(text) ?? [];
      if (names.has(name)) return [name, resolve(folder)];
      throw new UsageError(`--peer takes NAME=DIR, NAME being ${[...names].join(', ')}`);
    }),
  );
}

/** The pools to run: those that are named run everywhere, the others where they are of use. */
function choosePools(list, pools, folders) {
  if (list === undefined) return pools.filter(({ given }) => !given || folders[given]);
  return choose(list, pools, 'pool').map((pool) => {
    if (!pool.given || folders[pool.given]) return { ...pool, only: undefined };
    throw new UsageError(`${pool.name} needs its folder: --peer ${pool.given}=DIR`);
  });
}

/**
 * @param {string[]} args the arguments after the script's name
 * @throws {UsageError} for an unknown option, scenario, pool or peer, for a peer without its
 * folder, and for a number of rounds below 1.
 */
export function parseOptions(args, { scenarios, pools }) {
  const values = parse(args, {
    rounds: { type: 'string' },
    all: { type: 'boolean', default: false },
    scenario: { type: 'string' },
    pool: { type: 'string' },
    peer: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'string' },
    from: { type: 'string' },
  });
  const folders = foldersOf(values.peer, pools);
  return {
    help: values.help,
    rounds: roundsOf(values.rounds, values.quick ? 1 : 2),
    quick: values.quick,
    scale: values.quick ? 0.25 : 1,
    scenarios:
      values.scenario === undefined && !values.all
        ? scenarios.filter(({ extra }) => !extra)
        : choose(values.scenario, scenarios, 'scenario'),
    pools: choosePools(values.pool, pools, folders),
    folders,
    json: values.json,
    markdown: values.markdown,
    from: values.from,
  };
}

/**
 * The same for compare.mjs.
 * @throws {UsageError} also if no folder is named.
 */
export function parseCompareOptions(args, { scenarios, pools }) {
  const values = parse(args, {
    against: { type: 'string' },
    rounds: { type: 'string' },
    scenario: { type: 'string' },
    pool: { type: 'string', default: 'cenote,cenote-piscina' },
    scale: { type: 'string', default: '1' },
    json: { type: 'string' },
  });
  if (values.help) return { help: true };
  if (!values.against) throw new UsageError('--against DIR is missing: the build to compare with');
  const scale = Number(values.scale);
  if (!(scale >= 0.01 && scale <= 10)) {
    throw new UsageError(`--scale takes a number from 0.01 to 10, not '${values.scale}'`);
  }
  const compared = scenarios.filter(({ name }) => !kNotCompared.includes(name));
  const own = pools.filter(({ peer }) => !peer);
  return {
    help: false,
    against: resolve(values.against),
    rounds: roundsOf(values.rounds, 5),
    scenarios: choose(values.scenario ?? kCompared.join(), compared, 'scenario'),
    pools: choose(values.pool, own, 'pool'),
    scale,
    json: values.json,
  };
}
