// Every scenario, in the order in which they run and are shown.
//
// A scenario is { name, task, extra, metrics, run }: `task` names the handler module under tasks/,
// `extra` says that it runs only if asked for, `metrics` gives label and unit of each figure (the
// first three are the ones that progress shows), and
// `run({ run, measured, round, scale, collectorPort })` warms the pool up, measures, checks every
// result, and resolves with the figures. It passes the part that counts through `measured`, which
// takes the CPU time of it, if that time says something about a task. `scale` shortens all
// durations (--quick).

import blockedMain from './blocked-main.mjs';
import buf64k from './buf64k.mjs';
import burst from './burst.mjs';
import c64 from './c64.mjs';
import { c64Values } from './c64-values.mjs';
import detach from './detach.mjs';
import idle from './idle.mjs';
import late from './late.mjs';
import load50 from './load50.mjs';
import mixed from './mixed.mjs';
import { seq, seqNumber } from './seq.mjs';
import trickle from './trickle.mjs';
import users from './users.mjs';

export const scenarios = [
  c64,
  ...c64Values,
  burst,
  seq,
  seqNumber,
  users,
  buf64k,
  load50,
  mixed,
  late,
  trickle,
  idle,
  detach,
  blockedMain,
];
