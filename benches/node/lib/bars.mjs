// The bars that cenote is held to, and how far a run met them. Data first, one function to judge
// it.
//
// A bar holds one figure of `pool` (cenote unless said otherwise) to `atLeast` or `atMost`: times
// the same figure of the pool named in `times`, or of the best peer, or an absolute value where
// `times` is left out. Figures are medians over the rounds. `worst` names a figure whose largest
// value is shown beside the median.

import { formatNumber, withUnit } from './table.mjs';

const kBestPeer = 'best peer';
const kSpin0 = 'cenote-spin0';

export const bars = [
  { scenario: 'c64', metric: 'perSecond', atLeast: 12, times: 'piscina' },
  { scenario: 'c64', metric: 'perSecond', atLeast: 5, times: kBestPeer },
  { scenario: 'burst', metric: 'perSecond', atLeast: 10, times: 'piscina' },
  { scenario: 'seq', metric: 'p50', atMost: 1 / 5, times: kBestPeer },
  { scenario: 'seq', metric: 'p99', atMost: 1 / 2, times: kBestPeer },
  { scenario: 'c64', metric: 'perSecond', pool: kSpin0, atLeast: 8, times: 'piscina' },
  { scenario: 'burst', metric: 'perSecond', pool: kSpin0, atLeast: 8, times: 'piscina' },
  { scenario: 'seq', metric: 'p50', pool: kSpin0, atMost: 1.1, times: 'piscina' },
  { scenario: 'users', metric: 'perSecond', atLeast: 2, times: 'piscina' },
  { scenario: 'users', metric: 'perSecond', atLeast: 1, times: kBestPeer },
  { scenario: 'buf64k', metric: 'perSecond', atLeast: 2, times: 'piscina' },
  { scenario: 'buf64k', metric: 'perSecond', atLeast: 1, times: kBestPeer },
  { scenario: 'load50', metric: 'p99', atMost: 1, times: kBestPeer },
  { scenario: 'mixed', metric: 'p99', atMost: 1, times: kBestPeer },
  { scenario: 'trickle', metric: 'p50', atMost: 1, times: 'piscina' },
  { scenario: 'trickle', metric: 'cpu', atMost: 1.1, times: 'piscina' },
  { scenario: 'idle', metric: 'cpu', atMost: 1 },
  { scenario: 'detach', metric: 'idleTimer', atMost: 25, worst: 'idleTimerWorst' },
  { scenario: 'detach', metric: 'streamTimer', atMost: 25, worst: 'streamTimerWorst' },
  { scenario: 'detach', metric: 'loadTimer', atMost: 25, worst: 'loadTimerWorst' },
  { scenario: 'blocked-main', metric: 'ran', atLeast: 16 },
];

/**
 * The pool to compare with: the named one, or the peer whose median is the best. Undefined if none
 * was measured.
 */
function opponent(bar, byPool, peers) {
  if (bar.times !== kBestPeer) return byPool[bar.times] && bar.times;
  const higher = bar.atLeast !== undefined;
  return peers
    .filter((peer) => byPool[peer])
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
  if (!own || (bar.times !== undefined && against === undefined)) return { measured: false };
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
  const limit = bar.atLeast ?? bar.atMost;
  if (bar.times === undefined) return `${sign} ${limit} ${unit}`;
  return `${sign} ${limit} × ${bar.times}${bar.times === kBestPeer && against ? ` (${against})` : ''}`;
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

/**
 * The table of the bars of `ran`, scenarios' names; `metricsOf(scenario)` gives the metrics by the
 * scenario's name.
 */
export function barsTable(medians, ran, { peers, metricsOf }) {
  const rows = bars
    .filter(({ scenario }) => ran.includes(scenario))
    .map((bar) => {
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
  };
}
