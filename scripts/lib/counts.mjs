// Reads how many tests passed and failed from what the test runners themselves print.

// Each runner's closing lines, one for each binary or one in all, and the words of its counts. A
// test that was cancelled, or ended after its limit, has failed; a test of Piscina's that deviates
// as it is meant to has not passed.
const runners = {
  // First, since it shows what other runners print.
  piscina: [/^the tests of Piscina .*$/gm, '# passed', '# failed', '# skipped|# deviating'],
  cargo: [/^test result: .*$/gm, '# passed', '# failed', '# ignored'],
  nextest: [/^ *Summary .*$/gm, '# passed', '# failed|# timed out|# exec failed', '# skipped'],
  node: [
    /^ℹ (pass|fail|cancelled|skipped|todo) \d+$/gm,
    'pass #',
    'fail #|cancelled #',
    'skipped #|todo #',
  ],
};

const sumOf = (text, words) => {
  const numbers = [...text.matchAll(new RegExp(words.replaceAll('#', '(\\d+)'), 'g'))];
  return numbers.reduce((sum, [, ...found]) => sum + Number(found.find(Boolean)), 0);
};

/** The counts in `output`, or `undefined` if no runner came to its end there. */
export function countsOf(output) {
  for (const [line, passed, failed, skipped] of Object.values(runners)) {
    const text = [...output.matchAll(line)].map(([whole]) => whole).join('\n');
    if (text === '') continue;
    const of = (words) => sumOf(text, words);
    return { passed: of(passed), failed: of(failed), skipped: of(skipped) };
  }
  return undefined;
}
