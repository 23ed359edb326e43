// From single cells to the figures that are shown: median, smallest and largest over the rounds.

import { summary } from './stats.mjs';

/** { scenario: { pool: { metric: { median, min, max } } } } of the cells that were measured. */
export function summarise(cells) {
  const collected = {};
  for (const { scenario, pool, outcome, figures } of cells) {
    if (outcome !== 'ok') continue;
    const byMetric = ((collected[scenario] ??= {})[pool] ??= {});
    for (const [metric, value] of Object.entries(figures)) (byMetric[metric] ??= []).push(value);
  }
  const mapValues = (object, map) =>
    Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
  return mapValues(collected, (byPool) =>
    mapValues(byPool, (byMetric) => mapValues(byMetric, summary)),
  );
}
