// How the scripts speak: short progress lines on stderr, and one clear message when something stops
// them.

/** Ends a script with a message for its user, without a stack trace. */
export class Stop extends Error {}

/** One line of progress. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** `1.2 s`, `3 min 05 s`: a duration in milliseconds for people. */
export function seconds(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** Runs a script's main function; a `Stop` becomes its message and exit code 1. */
export async function main(run) {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    say(`\ncenote: ${error.message}`);
    process.exitCode = 1;
  }
}
