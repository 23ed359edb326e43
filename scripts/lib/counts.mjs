// Reads how many tests passed and failed from what the test runners themselves print.

// The closing lines of each runner. A runner that prints several of them, one for each binary, is
// summed. A cancelled test of Node's has failed, and so has one that nextest ended after its limit.
const closings = [
  // cargo test
  {
    line: /^test result: \w+\. (?<counts>.+)$/gm,
    words: { passed: /(\d+) passed/, failed: /(\d+) failed/, skipped: /(\d+) ignored/ },
  },
  // cargo nextest
  {
    line: /^ *Summary \[.*\] *(?<counts>\d.*)$/gm,
    words: {
      passed: /(\d+) passed/,
      failed: /(\d+) (?:failed|timed out|exec failed)/g,
      skipped: /(\d+) skipped/,
    },
  },
  // node --test, with the reporter `spec`
  {
    line: /^ℹ pass \d+\nℹ fail \d+\nℹ cancelled \d+\nℹ skipped \d+\nℹ todo \d+$/gm,
    words: {
      passed: /pass (\d+)/,
      failed: /(?:fail|cancelled) (\d+)/g,
      skipped: /(?:skipped|todo) (\d+)/g,
    },
  },
  // tests/conformance/piscina.mjs; a test that deviates as it is meant to has not passed
  {
    line: /^the tests of Piscina .*: (?<counts>\d+ passed, .*)$/gm,
    words: {
      passed: /(\d+) passed/,
      failed: /(\d+) failed/,
      skipped: /(\d+) (?:skipped|deviating)/g,
    },
  },
];

const sumOf = (text, word) =>
  [...text.matchAll(new RegExp(word, 'g'))].reduce((sum, [, count]) => sum + Number(count), 0);

/** The counts in `output`, or `undefined` if no runner came to its end there. */
export function countsOf(output) {
  for (const { line, words } of closings) {
    const found = [...output.matchAll(line)].map((match) => match.groups?.counts ?? match[0]);
    if (found.length === 0) continue;
    const text = found.join('\n');
    return {
      passed: sumOf(text, words.passed),
      failed: sumOf(text, words.failed),
      skipped: sumOf(text, words.skipped),
    };
  }
  return undefined;
}
