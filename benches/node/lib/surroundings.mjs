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

const percent = (share) => (share === undefined ? 'unknown' : `${share.toFixed(1)} %`);

function around({ load, busy, steal }) {
  return `load average ${load.toFixed(2)}, CPUs busy ${percent(busy)}, steal ${percent(steal)}`;
}

/** Runs `body` and looks around before and after it: { result, before, during, after }. */
export async function withSurroundings(body) {
  const before = await lookAround();
  const from = readTicks();
  const result = await body();
  const during = shares(from, readTicks());
  return { result, before, during, after: await lookAround() };
}

/** What `withSurroundings` saw, in three lines. */
export function surroundingsText({ before, during, after }) {
  return [
    `before: ${around(before)}`,
    `during: steal ${percent(during.steal)}`,
    `after:  ${around(after)}`,
  ].join('\n');
}

/** The same in a sentence. */
export function surroundingsSentence({ before, during, after }) {
  return (
    `Load average ${before.load.toFixed(2)} before the run, ${after.load.toFixed(2)} after it; ` +
    `steal ${percent(during.steal)} during it.`
  );
}
