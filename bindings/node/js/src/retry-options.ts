// The options `retry` and `idempotent`, and what holds where they say nothing.

import { isPlainObject, refuseUnknown } from './arguments.js';
import { ObjectAssign } from './base/intrinsics.js';
import { invalidType, outOfRange } from './errors.js';
import { whenLost, type RetryRules, type RetryState } from './owner/retries.js';
import { readSwitch } from './renewal-options.js';

/** When and how often a task is tried again. */
export interface RetryOptions {
  /** Tries in all, the first one included. @default 3 */
  readonly attempts?: number;
  /**
   * The pause before the second try, in milliseconds. It doubles with each one, up to 30 s.
   * @default 100
   */
  readonly backoff?: number;
  /** Which share of each pause is random, from 0 to 1. @default 0.5 */
  readonly jitter?: number;
  /**
   * How many retries there may be, as a share of the pool's tasks, beside the first ten: where all
   * fails, to call it more often does not help. @default 0.2
   */
  readonly budget?: number;
  /** Whether an error is worth another try. @default that its worker was lost */
  readonly when?: (error: unknown) => boolean;
}

const kNames = ['attempts', 'backoff', 'jitter', 'budget', 'when'] as const;

/** Checks `retry`; null: none. */
export function readRetry(value: unknown): RetryRules | null {
  if (value === undefined) return null;
  if (!isPlainObject(value)) throw invalidType('options.retry', 'an object', value);
  const given: Record<string, unknown> = ObjectAssign({ __proto__: null } as never, value);
  refuseUnknown(given, kNames, { names: [], call: '' });
  const number = (name: string, fallback: number, least: number, most: number): number => {
    const picked = given[name] ?? fallback;
    const label = `options.retry.${name}`;
    if (typeof picked !== 'number') throw invalidType(label, 'a number', picked);
    if (!(picked >= least && picked <= most))
      throw outOfRange(label, `from ${least} to ${most}`, picked);
    return picked;
  };
  const { when = whenLost } = given;
  if (typeof when !== 'function') throw invalidType('options.retry.when', 'a function', when);
  return {
    attempts: number('attempts', 3, 1, 1_000),
    backoff: number('backoff', 100, 0, 600_000),
    jitter: number('jitter', 0.5, 0, 1),
    budget: number('budget', 0.2, 0, 1_000),
    when: when as RetryRules['when'],
  };
}

/** The tries of one call; null: one. */
export function retryOf(retry: RetryRules | null, idempotent: unknown): (() => RetryState) | null {
  const mayRepeat = readSwitch(idempotent, 'options.idempotent');
  if (retry === null) return null;
  return () => ({ rules: retry, idempotent: mayRepeat, tries: 0, losses: 0 });
}
