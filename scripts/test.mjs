// `npm test`: sets the checkout up, then runs every test suite, one after the other, to the last one.
//
// Usage: node scripts/test.mjs [--long] [SUITE...]      (no names: all of them; --long: those that take an hour)
//
// A suite fails if its runner fails, if it outlives its limit, or if it ran no test at all. One that this machine cannot
// run, for want of a tool, is said to be missing, and fails only if it was asked for by name. The closing lines give
// each runner's own counts, and last of all their sum. The exit code is 1 if any suite failed.

import { prepare } from './lib/prepare.mjs';
import { run } from './lib/run.mjs';
import { main, say, seconds, Stop } from './lib/say.mjs';
import { longSuites, suites as shortSuites } from './lib/suites.mjs';

const none = { passed: 0, failed: 0, skipped: 0 };

async function runSuite(suite) {
  say(`\n=== ${suite.name} ===`);
  let args;
  try {
    args = await suite.args();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    say(`=== ${suite.name}: ${error.message} ===`);
    return { name: suite.name, counts: none, fault: error.message, ms: 0 };
  }
  const { code, signal, output, timedOut, ms } = await run(suite.command, args, {
    env: suite.env,
    limitMs: suite.limitMs,
    show: true,
  });
  const counts = suite.counts(output) ?? none;
  let fault;
  if (timedOut)
    fault = `hung: ended after its limit of ${seconds(suite.limitMs)}; the last lines above say where`;
  else if (code !== 0) fault = code === null ? `ended by ${signal}` : `exit code ${code}`;
  else if (counts.passed + counts.failed === 0) fault = 'ran no tests';
  else if (counts.failed > 0) fault = 'has failed tests';
  say(`=== ${suite.name}: ${fault ?? 'ok'} (${seconds(ms)}) ===`);
  return { name: suite.name, counts, fault, ms };
}

function report(results, missing) {
  const width = Math.max(...[...results, ...missing].map(({ name }) => name.length));
  const lines = ['', 'summary'];
  for (const { name, counts, fault, ms } of results) {
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    const numbers = `${counts.passed} passed, ${counts.failed} failed${skipped}`;
    lines.push(
      `  ${name.padEnd(width)}  ${numbers} (${seconds(ms)})${fault === undefined ? '' : ` -- ${fault}`}`,
    );
  }
  for (const suite of missing)
    lines.push(`  ${suite.name.padEnd(width)}  not run: ${suite.missing}`);
  const failed = results.filter(({ fault }) => fault !== undefined);
  lines.push(
    failed.length === 0
      ? 'all suites passed'
      : `failed suites: ${failed.map(({ name }) => name).join(', ')}`,
  );
  // A suite that broke without a failed test to show for it still is a failure in the sum.
  const sum = results.map(({ counts, fault }) => ({
    passed: counts.passed,
    failed: fault === undefined ? 0 : Math.max(1, counts.failed),
  }));
  const total = (key) => sum.reduce((all, one) => all + one[key], 0);
  lines.push(`${total('passed')} passed, ${total('failed')} failed`);
  process.stdout.write(`${lines.join('\n')}\n`);
  return failed.length === 0;
}

await main(async () => {
  const args = process.argv.slice(2);
  const suites = args.includes('--long') ? longSuites : shortSuites;
  const wanted = args.filter((arg) => arg !== '--long');
  const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    throw new Stop(
      `no such suite: ${unknown.join(', ')}. There are: ${suites.map(({ name }) => name).join(', ')}`,
    );
  }
  const chosen = suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const missing = chosen.filter((suite) => suite.missing !== undefined);
  if (wanted.length > 0 && missing.length > 0) {
    throw new Stop(
      `this machine cannot run ${missing.map(({ name, missing: what }) => `${name}: ${what}`).join(', ')}`,
    );
  }
  await prepare();
  const results = [];
  for (const suite of chosen) if (suite.missing === undefined) results.push(await runSuite(suite));
  if (!report(results, missing)) process.exitCode = 1;
});
