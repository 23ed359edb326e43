// Runs a program of `fixtures/chaos` that does things at random. CENOTE_STRESS_SECONDS makes it
// longer, CENOTE_STRESS_SEED repeats it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { seedOf } from '../fixtures/chaos/random.mjs';
import { fixture } from './behaviour.mjs';

const seconds = Number(process.env.CENOTE_STRESS_SECONDS ?? 8);
const limitMs = (seconds + 60) * 1_000;

/** The options of a test that calls {@link stress}. */
export const patient = { timeout: limitMs + 5_000 };

/** What the program counted. It fails if anything went as it should not. */
export async function stress(t, name) {
  const args = [fixture(`chaos/${name}`), seedOf(t), seconds].map(String);
  const options = { timeout: limitMs, killSignal: 'SIGKILL' };
  const { error, stdout, stderr } = await new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) =>
      resolve({ error, stdout, stderr }),
    );
  });
  assert.equal(error, null, `${error?.signal ?? error?.code}: ${stderr}`);
  t.diagnostic(stdout.trim());
  return JSON.parse(stdout);
}
