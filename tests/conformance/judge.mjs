// Decides what the results of one test file mean: which tests passed, which should have and did
// not, which deviate as DEVIATIONS.md says, and which of its lines are stale.

import { nameOf, runsOn } from './expected.mjs';

const startsWith = (path, start) =>
  path.length > start.length && start.every((name, at) => path[at] === name);

/**
 * Whether a failure is one that is meant: it is in the table, or comes from nothing but tests
 * inside that are.
 */
function isMeant(failure, failures, meant) {
  if (meant.has(nameOf(failure.name))) return true;
  const inside = failures.filter(({ name }) => startsWith(name, failure.name));
  return failure.inner && inside.length > 0 && inside.every((one) => isMeant(one, failures, meant));
}

/**
 * - `listed`: the tests of the file that pass with Piscina, as `{ name, only }`;
 * - `results`: what the reporter said of them; `fault`: what went wrong with the file as a whole;
 * - `deviations`: this file's tests in the table, as `{ name, always }`.
 *
 * Returns the numbers `passed`, `skipped` and `deviating`, and `failures`: one line of text for
 * each.
 */
export function judge({ listed, results, fault, deviations, machine }) {
  const meant = new Map(deviations.map(({ name, always }) => [name, always]));
  const failed = results.filter(({ status }) => status === 'fail');
  const verdict = {
    passed: 0,
    skipped: 0,
    deviating: 0,
    failures: fault === undefined ? [] : [fault],
  };
  const fail = (count, text) => verdict.failures.push(...Array.from({ length: count }, () => text));

  const names = new Set([
    ...listed.map(({ name }) => name),
    ...results.map(({ name }) => nameOf(name)),
  ]);
  for (const name of names) {
    const wanted = listed.filter((test) => test.name === name);
    const runs = wanted.length > 0 && runsOn(wanted[0].only, machine);
    const here = results.filter((result) => nameOf(result.name) === name);
    const count = (status) => here.filter((result) => result.status === status).length;

    verdict.passed += count('pass');
    for (const failure of here.filter(({ status }) => status === 'fail')) {
      if (isMeant(failure, failed, meant)) verdict.deviating++;
      else
        fail(1, wanted.length > 0 ? `failed: ${name}` : `failed, and is not in the list: ${name}`);
    }
    if (!runs) {
      verdict.skipped += count('skip');
      continue;
    }
    fail(count('skip'), `was skipped: ${name}`);
    const absent = Math.max(0, wanted.length - here.length);
    // A test that is meant to fail may do so by ending its process before it has ended itself.
    if (meant.has(name)) verdict.deviating += absent;
    else fail(absent, `did not run to its end: ${name}`);
    if (meant.get(name) === true && here.length >= wanted.length && count('pass') === here.length) {
      fail(1, `passes, though DEVIATIONS.md says that it does not: ${name}`);
    }
  }
  for (const name of meant.keys()) {
    if (!listed.some((test) => test.name === name))
      fail(1, `is in DEVIATIONS.md, but there is no such test: ${name}`);
  }
  return verdict;
}
