// Progress while the benchmark runs: one line rewritten on a terminal, a line per finished cell
// elsewhere.

import { withUnit } from './table.mjs';

const kFigures = 3;

function duration(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** What a cell measured, in a few words. */
function headline(cell, metrics) {
  if (cell.outcome !== 'ok') return cell.outcome;
  const figures = Object.entries(metrics)
    .slice(0, kFigures)
    .map(([metric, { label, unit }]) => `${label} ${withUnit(cell.figures[metric], unit)}`);
  if (cell.destroyHung) figures.push('then hung in destroy()');
  return figures.join(', ');
}

/** Writes to `stream`; `metricsOf(scenario)` gives the metrics by the scenario's name. */
export function startProgress(stream, { rounds, metricsOf }) {
  const start = performance.now();
  const width = () => stream.columns ?? 80;
  const rewrite = (text) => stream.write(`\r\x1b[2K${text.slice(0, width() - 1)}`);
  const place = (job, index, total) =>
    `[${index + 1}/${total}] round ${job.round}/${rounds} ${job.scenario} ${job.pool}`;
  let last = '';
  return {
    onStart(job, index, total) {
      if (!stream.isTTY) return;
      const left =
        index > 0
          ? `, ${duration(((performance.now() - start) / index) * (total - index))} left`
          : '';
      rewrite(`${place(job, index, total)} …${left}${last && `  (${last})`}`);
    },
    onEnd(cell, index, total) {
      const result = headline(cell, metricsOf(cell.scenario));
      last = `${cell.pool}: ${result}`;
      if (!stream.isTTY) stream.write(`${place(cell, index, total)}: ${result}\n`);
    },
    end() {
      if (stream.isTTY) rewrite('');
    },
  };
}
