// How many CPUs there are for this process, and how much of one a thread has had.

import { availableParallelism } from 'node:os';
import type { LoopAddress } from './loop.js';
import { loadNative } from './native.js';
import { kThread } from './words.js';

/** CPUs that this process may use. By its cgroup's quota too, where the addon is used. */
export function cpuCount(): number {
  return loadNative()?.cpus() ?? availableParallelism();
}

/** The CPU time of a loop's thread in ms, or -1 where it is not known. */
export function cpuMsOf({ words }: LoopAddress): number {
  return loadNative()?.threadCpuMs(words[kThread] ?? 0) ?? -1;
}
