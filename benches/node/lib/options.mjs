// The command line of run.mjs.

import { parseArgs } from 'node:util';

export const usage = `Usage: npm run bench -- [options]

  --rounds N        rounds over all scenarios and pools; figures are medians of them
                    (default 3, with --quick 1)
  --scenario A,B    only these scenarios
  --pool X,Y        only these pools
  --quick           a quarter of each duration, one round: a check that all works, with
                    rough figures
  --json FILE       write the results to FILE too (always: benches/node/results/latest.json)
  --markdown FILE   write the comparison as Markdown to FILE
  --from FILE       measure nothing; show the results stored in FILE
  --help            show this text`;

/** A command line that cannot be followed; its message says why. */
export class UsageError extends Error {}

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

/**
 * @param {string[]} args the arguments after the script's name
 * @throws {UsageError} for an unknown option, scenario or pool, and for a number of rounds below 1.
 */
export function parseOptions(args, { scenarios, pools }) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        rounds: { type: 'string' },
        scenario: { type: 'string' },
        pool: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
        markdown: { type: 'string' },
        from: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(error.message);
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UsageError(`--rounds takes a whole number from 1, not '${values.rounds}'`);
  }
  return {
    help: values.help,
    rounds,
    quick: values.quick,
    scale: values.quick ? 0.25 : 1,
    scenarios: choose(values.scenario, scenarios, 'scenario'),
    pools: choose(values.pool, pools, 'pool'),
    json: values.json,
    markdown: values.markdown,
    from: values.from,
  };
}
