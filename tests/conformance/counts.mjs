// Reads the closing line of a run of `piscina.mjs`, for the summary of `npm test`.

/**
 * The counts, or `undefined` if the run did not get to its end. A test that deviates as it is meant
 * to has not passed.
 */
export function conformanceCounts(output) {
  const last = [...output.matchAll(/^the tests of Piscina .*: (\d+ passed, .*)$/gm)].at(-1)?.[1];
  if (last === undefined) return undefined;
  const count = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(last)?.[1] ?? 0);
  return {
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped') + count('deviating'),
  };
}
