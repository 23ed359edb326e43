// The options of a pool that are numbers: their limits, and the environment variables that stand
// for them.

import { invalidType, outOfRange } from './errors.js';
import type { OptionSource, PoolOptions } from './options.js';

interface NumberRule {
  readonly least: number;
  readonly most: number;
  readonly variable?: string;
  readonly orInfinity?: boolean;
}

/** The longest delay that a timer takes, in ms. */
export const kMaxTimerMs = 2 ** 31 - 1;

/** The most tasks that one worker may run at the same time. */
export const kMaxConcurrency = 16_384;

export const kRules = {
  minThreads: { least: 0, most: 65_536 },
  maxThreads: { least: 1, most: 65_536, variable: 'CENOTE_MAX_THREADS' },
  idleTimeout: { least: 0, most: kMaxTimerMs, orInfinity: true },
  maxQueue: { least: 0, most: Number.MAX_SAFE_INTEGER },
  concurrentTasksPerWorker: { least: 1, most: kMaxConcurrency },
  queueTimeout: { least: 1, most: kMaxTimerMs, orInfinity: true },
  timeout: { least: 1, most: kMaxTimerMs, orInfinity: true },
  abortGrace: { least: 0, most: kMaxTimerMs, orInfinity: true },
  bootTimeout: { least: 1, most: kMaxTimerMs, orInfinity: true },
  maxSpinUs: { least: 0, most: 10_000, variable: 'CENOTE_MAX_SPIN_US' },
  turnBudgetUs: { least: 1, most: 1_000_000, variable: 'CENOTE_TURN_BUDGET_US' },
  prefetchWindowUs: { least: 0, most: 1_000_000 },
} as const satisfies Partial<Record<keyof PoolOptions, NumberRule>>;

export type NumberOption = keyof typeof kRules;

/** Checks a time limit of `run()`, in ms. */
export function checkLimit(value: unknown, name: 'queueTimeout' | 'timeout'): number {
  return checkNumber(`options.${name}`, value, kRules[name]);
}

/** The value of an option, of its variable, or its default; and which of them it is. */
export function pickNumber(
  name: string,
  given: unknown,
  rule: NumberRule,
  fallback: number,
): { readonly value: number; readonly source: OptionSource } {
  if (given !== undefined)
    return { value: checkNumber(`options.${name}`, given, rule), source: 'option' };
  const { variable } = rule;
  const text = variable === undefined ? undefined : process.env[variable];
  if (variable === undefined || text === undefined || text === '')
    return { value: fallback, source: 'default' };
  const label = `environment variable ${variable}`;
  if (!/^\d+$/.test(text)) throw outOfRange(label, range(rule), text);
  return { value: checkNumber(label, Number(text), rule), source: 'environment' };
}

/** Checks a number. The label is in the message. */
export function checkNumber(label: string, value: unknown, rule: NumberRule): number {
  if (typeof value !== 'number') throw invalidType(label, 'a number', value);
  if (rule.orInfinity === true && value === Infinity) return value;
  if (!Number.isInteger(value) || value < rule.least || value > rule.most)
    throw outOfRange(label, range(rule), value);
  return value;
}

function range(rule: NumberRule): string {
  const infinity = rule.orInfinity === true ? ', or Infinity' : '';
  return `a whole number from ${rule.least} to ${rule.most}${infinity}`;
}
