// Every scenario, in the order in which they run and are shown.
//
// A scenario is { name, task, metrics, run }: `task` names the handler module under tasks/,
// `metrics` gives label and unit of each figure (the first three are the ones that progress shows),
// and `run({ run, round, scale, collectorPort })` warms the pool up, measures, checks every result,
// and resolves with the figures. `scale` shortens all durations (--quick).

import blockedMain from './blocked-main.mjs';
import buf64k from './buf64k.mjs';
import burst from './burst.mjs';
import c64 from './c64.mjs';
import detach from './detach.mjs';
import idle from './idle.mjs';
import load50 from './load50.mjs';
import mixed from './mixed.mjs';
import seq from './seq.mjs';
import trickle from './trickle.mjs';
import users from './users.mjs';

export const scenarios = [
  c64,
  burst,
  seq,
  users,
  buf64k,
  load50,
  mixed,
  trickle,
  idle,
  detach,
  blockedMain,
];
