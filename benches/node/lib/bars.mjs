// The bars that cenote is held to, and how far a run met them. Data first, one function to judge
// it.
//
// A bar holds one figure of `pool` (cenote unless said otherwise) to `atLeast` or `atMost`: times
// the same figure of the pool named in `times`, or of the best of several, or an absolute value
// where `times` is left out. Figures are medians over the rounds. `worst` names a figure whose
// largest value is shown beside the median.

import { formatNumber, withUnit } from './table.mjs';

/** Of all that are not cenote, in this run. */
const kBestPeer = 'best peer';
/** Of the four established pools, with their defaults. */
const kBestOfFour = 'best of the four';
export const four = ['piscina', 'tinypool', 'poolifier', 'workerpool'];

const cold = 'coldPerSecond';
const warm = 'warmPerSecond';
const facade = { pool: 'cenote-piscina', atLeast: 0.7, times: 'cenote' };
const single = { pool: 'cenote-1', times: 'knitting-1' };

export const bars = [
  { scenario: 'c64', metric: cold, atLeast: 8, times: 'piscina' },
  { scenario: 'c64', metric: warm, atLeast: 14, times: 'piscina' },
  { scenario: 'c64', metric: cold, atLeast: 4, times: kBestOfFour },
  { scenario: 'c64', metric: warm, atLeast: 6, times: kBestOfFour },
  { scenario: 'c64', metric: cold, atLeast: 1.2, times: 'knitting' },
  { scenario: 'c64', metric: warm, atLeast: 1.2, times: 'knitting' },
  { scenario: 'c64', metric: cold, ...single, atLeast: 1.2 },
  { scenario: 'c64', metric: warm, ...single, atLeast: 1.2 },
  { scenario: 'c64', metric: 'warmCpuNs', atMost: 1600 },
  { scenario: 'c64', metric: cold, ...facade },
  { scenario: 'c64', metric: warm, ...facade },
  { scenario: 'c64-number', metric: warm, atLeast: 800_000 },
  { scenario: 'c64-number', metric: warm, atLeast: 1, times: 'knitting' },
  { scenario: 'c64-number', metric: warm, ...single, atLeast: 1 },
  { scenario: 'burst', metric: cold, atLeast: 6, times: 'piscina' },
  { scenario: 'burst', metric: warm, atLeast: 10, times: 'piscina' },
  { scenario: 'burst', metric: cold, ...facade },
  { scenario: 'burst', metric: warm, ...facade },
  { scenario: 'seq', metric: 'p50', atMost: 4 },
  { scenario: 'seq-number', metric: 'p50', atMost: 3 },
  { scenario: 'seq', metric: 'p99', atMost: 1 / 3, times: kBestOfFour },
  { scenario: 'users', metric: cold, atLeast: 1.5, times: kBestPeer },
  { scenario: 'users', metric: warm, atLeast: 2.2, times: kBestPeer },
  { scenario: 'buf64k', metric: 'perSecond', atLeast: 1.5, times: kBestPeer },
  { scenario: 'load50', metric: 'p99', atMost: 1, times: kBestPeer },
  { scenario: 'load50', metric: 'p99', atMost: 1.2, times: 'cenote-1' },
  { scenario: 'mixed', metric: 'p99', atMost: 1, times: kBestPeer },
  { scenario: 'trickle', metric: 'p50', atMost: 1, times: 'piscina' },
  { scenario: 'trickle', metric: 'cpu', atMost: 1.1, times: 'piscina' },
  { scenario: 'idle', metric: 'cpu', atMost: 1 },
  { scenario: 'detach', metric: 'idleTimer', atMost: 25, worst: 'idleTimerWorst' },
  { scenario: 'detach', metric: 'streamTimer', atMost: 25, worst: 'streamTimerWorst' },
  { scenario: 'detach', metric: 'loadTimer', atMost: 25, worst: 'loadTimerWorst' },
  { scenario: 'blocked-main', metric: 'ran', atLeast: 16 },
];

/** The pools of which the best is meant, or undefined where `times` is the name of a pool. */
function choiceOf({ times }, peers) {
  if (times === kBestPeer) return peers;
  return times === kBestOfFour ? four : undefined;
}

/**
 * The pool to compare with: the named one, or that of several whose median is the best. Undefined
 * if none was measured.
 */
function opponent(bar, byPool, peers) {
  const choice = choiceOf(bar, peers) ?? [bar.times];
  const higher = bar.atLeast !== undefined;
  return choice
    .filter((pool) => byPool[pool]?.[bar.metric])
    .sort(
      (a, b) => (byPool[a][bar.metric].median - byPool[b][bar.metric].median) * (higher ? -1 : 1),
    )[0];
}

/**
 * Judges one bar.
 * @param medians { scenario: { pool: { metric: { median, min, max } } } }
 * @param peers names of the pools that are not cenote
 * @returns {{ measured: boolean, against?: string, value?: number, other?: number, figure?: number,
 * met?: boolean, missedBy?: number, worst?: number }} `figure` is what is held against the limit;
 * `missedBy` is a share of the limit.
 */
export function judge(bar, medians, peers) {
  const byPool = medians[bar.scenario] ?? {};
  const own = byPool[bar.pool ?? 'cenote'];
  const against = bar.times === undefined ? undefined : opponent(bar, byPool, peers);
  if (!own?.[bar.metric] || (bar.times !== undefined && against === undefined))
    return { measured: false };
  const value = own[bar.metric].median;
  const other = against === undefined ? undefined : byPool[against][bar.metric].median;
  const figure = other === undefined ? value : value / other;
  const met = bar.atLeast === undefined ? figure <= bar.atMost : figure >= bar.atLeast;
  const missedBy = bar.atLeast === undefined ? figure / bar.atMost - 1 : 1 - figure / bar.atLeast;
  const worst = bar.worst && own[bar.worst].max;
  return {
    measured: true,
    against,
    value,
    other,
    figure,
    met,
    missedBy: met ? 0 : missedBy,
    worst,
  };
}

function wantedText(bar, { against }, unit) {
  const sign = bar.atLeast === undefined ? '≤' : '≥';
  const limit = formatNumber(bar.atLeast ?? bar.atMost);
  if (bar.times === undefined) return `${sign} ${limit} ${unit}`;
  return `${sign} ${limit} × ${bar.times}${against && against !== bar.times ? ` (${against})` : ''}`;
}

function measuredText({ measured, value, other, figure, worst }, unit) {
  if (!measured) return '–';
  if (other === undefined) {
    return `${withUnit(value, unit)}${worst === undefined ? '' : ` (worst ${formatNumber(worst)})`}`;
  }
  return `${formatNumber(figure)} × (${formatNumber(value)} : ${formatNumber(other)} ${unit})`;
}

function verdictText({ measured, met, missedBy }) {
  if (!measured) return 'not measured';
  if (met) return 'met';
  if (missedBy === Infinity) return 'missed';
  return missedBy > 1
    ? `missed, ${formatNumber(1 + missedBy)} × the limit`
    : `missed by ${formatNumber(missedBy * 100)} %`;
}

/** Whether the pools took part that a bar is about, whatever came of it. */
function isAbout(bar, pools, peers) {
  const choice = bar.times && (choiceOf(bar, peers) ?? [bar.times]);
  return (
    pools.includes(bar.pool ?? 'cenote') && (!choice || choice.some((name) => pools.includes(name)))
  );
}

/**
 * The table of the bars of a run's scenarios, and how many more there are that are about pools
 * which took no part. `metricsOf(scenario)` gives the metrics by the scenario's name.
 */
export function barsTable({ medians, pools, cells }, { peers, metricsOf }) {
  const ran = bars.filter((bar) => cells.some(({ scenario }) => scenario === bar.scenario));
  const about = ran.filter((bar) => isAbout(bar, pools, peers));
  const rows = about.map((bar) => {
    const verdict = judge(bar, medians, peers);
    const { label, unit } = metricsOf(bar.scenario)[bar.metric];
    return [
      `${bar.scenario} ${label}`,
      bar.pool ?? 'cenote',
      wantedText(bar, verdict, unit),
      measuredText(verdict, unit),
      verdictText(verdict),
    ];
  });
  return {
    title: 'Bars',
    head: ['figure', 'pool', 'bar', 'measured', 'verdict'],
    left: [1, 2, 3, 4],
    rows,
    leftOut: ran.length - about.length,
  };
}
