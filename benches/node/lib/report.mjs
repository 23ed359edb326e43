// The report of a run: tables, bars, what went wrong, the machine; as plain text and as Markdown.

import { barsTable } from './bars.mjs';
import { machineLine, wasBusy } from './machine.mjs';
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
function remarks({ cells, skipped, machine }) {
  const lines = skipped.map(({ pool, reason }) => `${pool} was skipped: ${reason}`);
  for (const { scenario, pool, round, outcome, message } of cells) {
    if (outcome === 'ok') continue;
    lines.push(
      `${pool} ${kOutcomes[outcome]} in ${scenario}, round ${round}${message ? `: ${message.split('\n')[0]}` : ''}`,
    );
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
      `The machine was busy before the run (load average ${machine.load.toFixed(1)}): compare with care.`,
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

const scenariosOf = ({ cells }) => cells.map(({ scenario }) => scenario);

/**
 * The whole report as plain text.
 * @param context { peers, metricsOf }: names of the pools that are not cenote, and a scenario's
 * metrics by its name
 */
export function textReport(results, context) {
  const parts = [
    ...groupTables(results).map(renderText),
    renderText(barsTable(results.medians, scenariosOf(results), context)),
    ...remarks(results),
    `2 workers. ${rounds(results)}\n${versions(results)}\n${machineLine(results.machine)}`,
  ];
  return parts.join('\n\n');
}

/** The comparison to quote: one table, the bars, and where it was measured. `context` as above. */
export function markdownReport(results, context) {
  return [
    renderMarkdown(overviewTable(results)),
    `2 workers. ${rounds(results).replace('; smallest to largest in brackets', '')} ${versions(results)}. ` +
      `${machineLine(results.machine)}. To repeat: \`npm run bench\`.`,
    renderMarkdown(barsTable(results.medians, scenariosOf(results), context)),
    '',
  ].join('\n\n');
}
