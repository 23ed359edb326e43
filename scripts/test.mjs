// `npm test`: sets the checkout up, then runs every test suite, one after the other, to the last
// one.
//
// Usage: node scripts/test.mjs [--long] [--list] [SUITE...]
//   no names: all of them      --long: those that take hours      --list: only says what there is
//
// A suite fails if its runner fails, or if it ran no test at all. Three times its budget end it;
// one that took longer than its budget is told of. One that this machine cannot run, for want of a
// tool, is said to be missing, and fails only if it was asked for by name. CENOTE_BUDGET_FACTOR
// stretches the budgets on a slow machine.
//
// The closing lines give each suite's counts and time, and last of all their sum. The times also
// lie in target/test-times.json. The exit code is 1 if any suite failed.

import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { countsOf } from './lib/counts.mjs';
import { prepare } from './lib/prepare.mjs';
import { inRoot } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { main, say, seconds, Stop } from './lib/say.mjs';
import { longSuites, suites as shortSuites, totalBudget } from './lib/suites.mjs';
import { faultOf, patience, remarkOf } from './lib/verdict.mjs';

const factor = Number(process.env.CENOTE_BUDGET_FACTOR || 1);
const stretched = (budget) => budget * 1_000 * factor;

async function runSuite({ name, command, env, ready, budget }) {
  say(`\n=== ${name} ===`);
  const result = { name, passed: 0, failed: 0, skipped: 0, ms: 0, fault: undefined };
  try {
    await ready?.();
    const [program, ...args] = command();
    const limitMs = patience * stretched(budget);
    const ended = await run(program, args, { env, limitMs, show: true });
    const counts = countsOf(ended.output);
    Object.assign(result, counts, { ms: ended.ms });
    result.fault = faultOf(ended, counts, stretched(budget));
    result.remark = remarkOf(ended.ms, stretched(budget));
  } catch (error) {
    if (!(error instanceof Stop) && error.code !== 'ENOENT') throw error;
    result.fault = error.message;
  }
  // A suite that broke without a failed test to show for it still is a failure in the sum.
  if (result.fault !== undefined) result.failed = Math.max(1, result.failed);
  say(`=== ${name}: ${result.fault ?? 'ok'} (${seconds(result.ms)}) ===`);
  return result;
}

/** The whole run, with its set-up and what lies between the suites: it has a budget too. */
function wholeRun() {
  const ms = performance.now();
  const remark = remarkOf(ms, stretched(totalBudget));
  return { name: 'all of them', passed: 0, failed: 0, skipped: 0, ms, fault: undefined, remark };
}

function writeTimes(results) {
  const suites = results.map(({ ms, ...rest }) => ({
    ...rest,
    seconds: Math.round(ms / 100) / 10,
  }));
  const times = { node: process.version, cpus: availableParallelism(), suites };
  mkdirSync(inRoot('target'), { recursive: true });
  writeFileSync(inRoot('target', 'test-times.json'), `${JSON.stringify(times, null, 2)}\n`);
}

function report(results, missing) {
  const width = Math.max(...[...results, ...missing].map(({ name }) => name.length));
  const line = ({ name }, text) => `  ${name.padEnd(width)}  ${text}`;
  const lines = ['', 'summary'];
  for (const result of results) {
    const { passed, failed, skipped, ms, fault, remark } = result;
    const why = fault ?? remark;
    const counts = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    lines.push(line(result, `${counts} (${seconds(ms)})${why ? ` -- ${why}` : ''}`));
  }
  for (const suite of missing) lines.push(line(suite, `not run: ${suite.missing}`));
  const broken = results.filter(({ fault }) => fault !== undefined).map(({ name }) => name);
  lines.push(broken.length === 0 ? 'all suites passed' : `failed suites: ${broken.join(', ')}`);
  const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
  lines.push(`${total('passed')} passed, ${total('failed')} failed`);
  process.stdout.write(`${lines.join('\n')}\n`);
  return broken.length === 0;
}

function list(suites) {
  const width = Math.max(...suites.map(({ name }) => name.length));
  for (const { name, about, budget, missing } of suites) {
    const note =
      missing === undefined ? `budget ${seconds(budget * 1_000)}` : `not here: ${missing}`;
    process.stdout.write(`${name.padEnd(width)}  ${about} (${note})\n`);
  }
}

await main(async () => {
  const args = process.argv.slice(2);
  const suites = args.includes('--long') ? longSuites : shortSuites;
  if (args.includes('--list')) return list(suites);
  const wanted = args.filter((arg) => arg !== '--long');
  const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    const names = suites.map(({ name }) => name).join(', ');
    throw new Stop(`no such suite: ${unknown.join(', ')}. Known suites: ${names}`);
  }
  const chosen = suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const missing = chosen.filter((suite) => suite.missing !== undefined);
  if (wanted.length > 0 && missing.length > 0) {
    const what = missing.map((suite) => `${suite.name}: ${suite.missing}`).join(', ');
    throw new Stop(`this machine cannot run ${what}`);
  }
  await prepare();
  const results = [];
  for (const suite of chosen) if (suite.missing === undefined) results.push(await runSuite(suite));
  if (wanted.length === 0 && suites === shortSuites) results.push(wholeRun());
  writeTimes(results);
  if (!report(results, missing)) process.exitCode = 1;
});
