// The command lines of run.mjs and compare.mjs.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const usage = `Usage: npm run bench -- [options]

  --rounds N        rounds over all scenarios and pools; figures are medians of them
                    (default 3, with --quick 1)
  --scenario A,B    only these scenarios
  --pool X,Y        only these pools
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
  --scenario A,B    only these scenarios
  --pool X,Y        only these of cenote, cenote-spin0, cenote-piscina
                    (default: cenote,cenote-piscina)
  --scale X         multiplies each duration, 0.01 to 10 (default 1)
  --json FILE       write the results to FILE
  --help            show this text`;

/** What compare.mjs can say something about, in its order. */
const kCompared = ['seq', 'c64', 'burst', 'users', 'buf64k', 'load50', 'mixed', 'trickle'];

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

/**
 * @param {string[]} args the arguments after the script's name
 * @throws {UsageError} for an unknown option, scenario or pool, and for a number of rounds below 1.
 */
export function parseOptions(args, { scenarios, pools }) {
  const values = parse(args, {
    rounds: { type: 'string' },
    scenario: { type: 'string' },
    pool: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'string' },
    from: { type: 'string' },
  });
  return {
    help: values.help,
    rounds: roundsOf(values.rounds, values.quick ? 1 : 3),
    quick: values.quick,
    scale: values.quick ? 0.25 : 1,
    scenarios: choose(values.scenario, scenarios, 'scenario'),
    pools: choose(values.pool, pools, 'pool'),
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
  const compared = kCompared.map((name) => scenarios.find((one) => one.name === name));
  const own = pools.filter(({ peer }) => !peer);
  return {
    help: false,
    against: resolve(values.against),
    rounds: roundsOf(values.rounds, 5),
    scenarios: choose(values.scenario, compared, 'scenario'),
    pools: choose(values.pool, own, 'pool'),
    scale,
    json: values.json,
  };
}
