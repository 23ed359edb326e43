// How the options that are for `new Worker` are said to a process.
//
// Memory limits become flags of V8. Flags of this process are handed on, as to a thread, but for
// those that say what it runs, and for the inspector, whose port only one process can have.

import type { WorkerOptions } from 'node:worker_threads';
import {
  append,
  MathCeil,
  MathFloor,
  MathMax,
  SafeSet,
  StringIndexOf,
  StringSlice,
  StringStartsWith,
} from '../base/intrinsics.js';

/** Flags that say what to run; those of the first kind are followed by it. */
const kWithText = setOf('-e', '--eval', '-p', '-pe', '--print');
const kAlone = setOf('-c', '--check', '-i', '--interactive', '--input-type', '--run');
const kStarts = ['--inspect', '--test', '--watch'];

function setOf(...names: readonly string[]): SafeSet<string> {
  const set = new SafeSet<string>();
  for (let i = 0; i < names.length; i++) set.add(names[i]!);
  return set;
}

/** The flags of a worker process. */
export function flagsFor({ execArgv, resourceLimits }: WorkerOptions): string[] {
  const flags: string[] = [];
  const given = execArgv ?? process.execArgv;
  for (let i = 0; i < given.length; i++) {
    const flag = given[i]!;
    if (execArgv !== undefined || isHandedOn(flag)) append(flags, flag);
    else if (kWithText.has(flag) || isValue(given[i + 1])) i++;
  }
  const { maxOldGenerationSizeMb, maxYoungGenerationSizeMb, stackSizeMb } = resourceLimits ?? {};
  if (isSize(maxOldGenerationSizeMb))
    append(flags, `--max-old-space-size=${MathMax(1, MathFloor(maxOldGenerationSizeMb))}`);
  // The young generation is three semi-spaces.
  if (isSize(maxYoungGenerationSizeMb))
    append(flags, `--max-semi-space-size=${MathMax(1, MathCeil(maxYoungGenerationSizeMb / 3))}`);
  if (isSize(stackSizeMb)) append(flags, `--stack-size=${MathFloor(stackSizeMb * 1024)}`);
  return flags;
}

function isHandedOn(flag: string): boolean {
  const end = StringIndexOf(flag, '=');
  const name = end < 0 ? flag : StringSlice(flag, 0, end);
  if (kWithText.has(name) || kAlone.has(name)) return false;
  for (let i = 0; i < kStarts.length; i++) if (StringStartsWith(flag, kStarts[i]!)) return false;
  return true;
}

/** Whether it is no flag, and so belongs to the one before it. */
function isValue(flag: string | undefined): boolean {
  return flag !== undefined && !StringStartsWith(flag, '-');
}

function isSize(size: number | undefined): size is number {
  return typeof size === 'number' && size > 0;
}

/** Arguments, as a process takes them. */
export function textsOf(list: readonly unknown[] | undefined): string[] {
  const texts: string[] = [];
  if (list !== undefined) for (let i = 0; i < list.length; i++) append(texts, `${list[i]}`);
  return texts;
}
