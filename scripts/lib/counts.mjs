// Reads how many tests passed and failed from what the test runners print themselves.

/**
 * Sums the closing counts of every `cargo test` binary and doc-test run in `output`.
 * Returns `undefined` if there is no such count: then nothing was run.
 */
export function cargoCounts(output) {
  const lines = [
    ...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm),
  ];
  if (lines.length === 0) return undefined;
  const sum = (group) => lines.reduce((total, line) => total + Number(line[group]), 0);
  return { passed: sum(1), failed: sum(2), skipped: sum(3) };
}

/**
 * Reads the closing counts of `node --test` with the `spec` reporter. A cancelled test counts as failed.
 * Returns `undefined` if there are none: then the runner did not get to its end.
 */
export function nodeCounts(output) {
  const count = (word) => {
    const all = [...output.matchAll(new RegExp(`^ℹ ${word} (\\d+)$`, 'gm'))];
    return all.length === 0 ? undefined : Number(all.at(-1)[1]);
  };
  const passed = count('pass');
  if (passed === undefined) return undefined;
  return {
    passed,
    failed: count('fail') + count('cancelled'),
    skipped: count('skipped') + count('todo'),
  };
}
