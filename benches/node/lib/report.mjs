// The report of a run: tables, bars, what went wrong, the machine; as plain text and as Markdown.

import { barsTable } from './bars.mjs';
import { machineLine, wasBusy } from './machine.mjs';
import { surroundingsSentence, surroundingsText } from './surroundings.mjs';
import { renderMarkdown, renderText } from './table.mjs';
import { groupTables, overviewTable } from './tables.mjs';

const kOutcomes = {
  invalid: 'gave a wrong result',
  failed: 'failed',
  hung: 'hung and was killed',
};

/**
 * Lines on all that was skipped, failed, hung or was printed by a pool; the stacks are in the JSON
 * file.
 */
export function remarks({ cells, skipped, machine }) {
  const lines = skipped.map(({ pool, reason }) => `${pool} was skipped: ${reason}`);
  for (const { scenario, pool, round, outcome, message } of cells) {
    if (outcome === 'ok') continue;
    const reason = message ? `: ${message.split('\n')[0]}` : '';
    lines.push(`${pool} ${kOutcomes[outcome]} in ${scenario}, round ${round}${reason}`);
  }
  for (const pool of new Set(cells.map((cell) => cell.pool))) {
    const own = cells.filter((cell) => cell.pool === pool);
    const hung = own.filter((cell) => cell.destroyHung).length;
    if (hung > 0)
      lines.push(
        `${pool}: destroy() did not return in ${hung} of ${own.length} runs (process killed)`,
      );
    for (const output of new Set(own.flatMap((cell) => cell.output ?? [])))
      lines.push(`${pool} printed: ${output.trim()}`);
  }
  if (wasBusy(machine)) {
    lines.push(
      `The machine was busy before the run (load average ${machine.load.toFixed(1)}): ` +
        'compare with care.',
    );
  }
  return lines;
}

function rounds({ rounds: count, quick }) {
  if (quick) return `${count} short round${count > 1 ? 's' : ''} (--quick): rough figures.`;
  return count > 1 ? `Medians of ${count} rounds; smallest to largest in brackets.` : 'One round.';
}

const versions = (results) =>
  Object.entries(results.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');

/** How long a round took, and which pool took how much of it. */
function timePerRound({ pools, cells, rounds: count }) {
  const seconds = (own) => own.reduce((sum, cell) => sum + (cell.seconds ?? 0), 0) / count;
  if (cells.length === 0) return '';
  const each = pools.map(
    (pool) => `${pool} ${seconds(cells.filter((cell) => cell.pool === pool)).toFixed(0)}`,
  );
  return `A round took ${seconds(cells).toFixed(0)} s: ${each.join(', ')}.`;
}

/** How many workers each pool has. */
function workersText({ workers, pools }) {
  const single = pools.filter((pool) => workers[pool] === 1);
  return single.length > 0 ? `2 workers; 1 in ${single.join(' and ')}.` : '2 workers.';
}

/** The bars, as far as their pools took part. */
function barsParts(results, context, render) {
  const { leftOut, ...table } = barsTable(results, context);
  const [s, are] = leftOut === 1 ? ['', 'is'] : ['s', 'are'];
  return [
    ...(table.rows.length > 0 ? [render(table)] : []),
    ...(leftOut > 0 ? [`${leftOut} more bar${s} ${are} about pools that took no part.`] : []),
  ];
}

/**
 * The whole report as plain text.
 * @param context { peers, metricsOf }: names of the pools that are not cenote, and a scenario's
 * metrics by its name
 */
export function textReport(results, context) {
  const { surroundings, machine } = results;
  const run = [
    `${workersText(results)} ${rounds(results)}`,
    versions(results),
    timePerRound(results),
    surroundings ? surroundingsText(surroundings) : '',
    machineLine(machine),
  ];
  return [
    ...groupTables(results).map(renderText),
    ...barsParts(results, context, renderText),
    ...remarks(results),
    run.filter((line) => line !== '').join('\n'),
  ].join('\n\n');
}

/** The comparison to quote: one table, the bars, and where it was measured. `context` as above. */
export function markdownReport(results, context) {
  const { surroundings, machine } = results;
  const howMany = rounds(results).replace(
    '; smallest to largest in brackets',
    '; spread: of the pool of a row where it is widest, largest less smallest',
  );
  const run = [
    `${workersText(results)} ${howMany} ${versions(results)}. ${machineLine(machine)}.`,
    ...(surroundings ? [surroundingsSentence(surroundings)] : []),
    'To repeat: `npm run bench`.',
  ];
  return [
    renderMarkdown(overviewTable(results)),
    run.join(' '),
    ...barsParts(results, context, renderMarkdown),
    '',
  ].join('\n\n');
}
