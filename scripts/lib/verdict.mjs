// Says whether a suite passed, and if not, why.

import { seconds } from './say.mjs';

/** How many times its budget a suite may take before it is ended: then it hangs. */
export const patience = 3;

/**
 * What is wrong with a suite, or `undefined`. `ended` is what `run` resolved to, `counts` what the
 * runner printed, `budgetMs` what the suite may take.
 */
export function faultOf(ended, counts, budgetMs) {
  const { code, signal, timedOut, ms } = ended;
  const budget = `its budget is ${seconds(budgetMs)}`;
  if (timedOut)
    return `hangs where the last lines above say: ended after ${seconds(ms)}, ${budget}`;
  if (code === null) return `ended by ${signal}`;
  if (code !== 0) return `exit code ${code}`;
  if (counts === undefined || counts.passed + counts.failed === 0) return 'ran no tests';
  if (counts.failed > 0) return 'has failed tests';
  return undefined;
}

/**
 * What there is to say of a suite's time, or ''. It is no fault: how fast a machine is that others
 * share is not for a test to decide.
 */
export function remarkOf(ms, budgetMs) {
  return ms > budgetMs ? `over its budget of ${seconds(budgetMs)}` : '';
}
