// The addon, loaded once a thread, or the reason why it is not used.
//
// The addon needs a runtime whose libuv it may enter. Bun and Deno export stubs of it, Electron
// runs its loop in a way that skips the wait, and Node may be told to load no addon, or not find
// it: in each of these cases the portable waiter takes over (see loop.ts), and this file says why,
// and what to do about it (see advice.ts).

import { join } from 'node:path';
import { isMainThread, type WorkerOptions } from 'node:worker_threads';
import { emitWarning, StringEndsWith } from '../base/intrinsics.js';
import { kNoAddons, kToUseNative, mentions, whyNotLoaded } from './advice.js';

/** The addon's functions. A station is one loop's part in the wait protocol. */
interface NativeBinding {
  /** Whether the host has a libuv that can carry the wait. */
  available(): boolean;
  openLoop(words: Int32Array, drain: () => void, maxSpinUs: number, turnBudgetUs: number): number;
  closeLoop(station: number): void;
  configureLoop(
    station: number,
    maxSpinUs: number,
    turnBudgetUs: number,
    spinUnderPressure: boolean,
  ): void;
  referenceLoop(station: number): void;
  ring(station: number): void;
  /** CPUs that this process may use, by affinity and by quota. */
  cpus(): number;
  /** The CPU time of a thread of this process, by its word kThread; -1: not known. */
  threadCpuMs(thread: number): number;
  openStations(): number;
  /** The numbers that `words.ts` must have, and the order of the stage counters. */
  layout(): { readonly numbers: Record<string, number>; readonly stages: readonly string[] };
}

/** The environment variable that forces the portable waiter when it is 1. */
const kForcePortable = 'CENOTE_FORCE_PORTABLE';

type Loaded =
  { readonly binding: NativeBinding } | { readonly binding: null; readonly reason: string };

let loaded: Loaded | undefined;
let loadedFile = '';

/**
 * The addon, or null where this runtime cannot carry it. `file` is what {@link nativeFile} gave in
 * another thread: with it this one need not search, which takes longer than to load.
 */
export function loadNative(file = ''): NativeBinding | null {
  loaded ??= load(file);
  return loaded.binding;
}

/** The file of the addon that this thread loaded; empty where it is not known. */
export function nativeFile(): string {
  if (loadedFile !== '' || loadNative() === null) return loadedFile;
  try {
    const modules = require.cache[join(__dirname, '..', 'native', 'binding.js')]?.children ?? [];
    for (let i = 0; i < modules.length; i++) {
      const { filename } = modules[i]!;
      if (StringEndsWith(filename, '.node')) loadedFile = filename;
    }
  } catch {
    // Without a cache of modules, as in some bundles, each thread searches.
  }
  return loadedFile;
}

/** Why {@link loadNative} gives null, and what to do about it; without a full stop. */
export function whyPortable(): string {
  loaded ??= load('');
  return loaded.binding === null ? loaded.reason : '';
}

/**
 * Why a pool with these options of its workers uses the portable waiter; empty if it does not. Both
 * of its sides use the same.
 */
export function whyPoolIsPortable(
  execArgv: readonly string[] | undefined,
  env: WorkerOptions['env'],
): string {
  if (loadNative() === null) return whyPortable();
  if (mentions(execArgv, kNoAddons))
    return `options.execArgv has ${kNoAddons}. Leave it out ${kToUseNative}`;
  const forced = typeof env === 'object' && env[kForcePortable] === '1';
  return forced ? `${kForcePortable} is 1 in options.env` : '';
}

function load(file: string): Loaded {
  const { versions, env } = process;
  if (env[kForcePortable] === '1') return { binding: null, reason: `${kForcePortable} is 1` };
  const runtime =
    versions['bun'] !== undefined
      ? 'Bun'
      : versions['deno'] !== undefined
        ? 'Deno'
        : versions['electron'] !== undefined
          ? 'Electron'
          : '';
  if (runtime !== '')
    return { binding: null, reason: `${runtime} does not let an addon enter its event loop` };
  try {
    const binding = loadFile(file) ?? (require('../native/binding.js') as NativeBinding);
    if (binding.available()) return { binding };
    return { binding: null, reason: 'this runtime exports no libuv that can carry the wait' };
  } catch (error) {
    return { binding: null, reason: whyNotLoaded(error) };
  }
}

function loadFile(file: string): NativeBinding | null {
  if (file === '') return null;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const binding = require(file) as NativeBinding;
    loadedFile = file;
    return binding;
  } catch {
    // The search says better what is wrong.
    return null;
  }
}

let warned = false;

/** Warns, once a thread and only where pools are made, that the portable waiter is in use. */
export function warnPortable(reason: string): void {
  if (warned) return;
  warned = true;
  const where = isMainThread ? '' : ' in this worker thread';
  emitWarning(
    `The portable waiter is in use${where}: ${reason}. ` +
      'All guarantees hold, but a hop costs tens of microseconds.',
    { code: 'CENOTE_PORTABLE_WAIT' },
  );
}
