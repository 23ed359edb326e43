// What else the machine does: its load, and the CPU time that others take from it.
//
// Steal is time in which a virtual machine wanted a CPU and its host gave it to another. Linux says
// it in /proc/stat; elsewhere the shares are undefined.

import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const kLookMs = 1000;

/** Counters of all CPUs together since the system started: { total, waiting, stolen }. */
export function parseTicks(text) {
  const ticks = /^cpu +(.+)$/m.exec(text)?.[1].split(' ').map(Number);
  if (!(ticks?.length >= 8)) return undefined;
  // The two after the eighth, time of guests, are part of the first two.
  const [user, nice, system, idle, ioWait, irq, softIrq, stolen] = ticks;
  const waiting = idle + ioWait;
  return { total: user + nice + system + waiting + irq + softIrq + stolen, waiting, stolen };
}

/** The counters now; undefined where the system does not give them. */
export function readTicks() {
  try {
    return parseTicks(readFileSync('/proc/stat', 'utf8'));
  } catch {
    return undefined;
  }
}

/** Per cent of the CPUs' time between two readings in which they were busy, and that was stolen. */
export function shares(from, to) {
  const total = to && from ? to.total - from.total : 0;
  if (total <= 0) return { busy: undefined, steal: undefined };
  const stolen = to.stolen - from.stolen;
  const busy = total - (to.waiting - from.waiting) - stolen;
  return { busy: (busy / total) * 100, steal: (stolen / total) * 100 };
}

/** Load average, and the shares of a second in which this process does nothing. */
export async function lookAround() {
  const from = readTicks();
  await sleep(kLookMs);
  return { load: loadavg()[0], ...shares(from, readTicks()) };
}
