/** Turns the figures of all replays into the table at the end, and says what it shows. */
import { kWaitAfterLoadMs } from './replay.mjs';

const kWidth = 80;
const waitSeconds = kWaitAfterLoadMs / 1000;

const rows = [
  ['tasks (one file each)', (f) => count(f.tasks)],
  ['files/s', (f) => rate(f.tasks / f.seconds)],
  ['run() p50', (f) => milliseconds(f.latencyNs.percentile(50))],
  ['run() p99', (f) => milliseconds(f.latencyNs.percentile(99))],
  ['exports arrived', (f) => count(f.exports.arrived)],
  ['  of them late (> 1 s)', (f) => count(f.exports.late)],
  [`exports missing after ${waitSeconds} s`, (f) => count(missing(f))],
  ['exported twice', (f) => count(f.exports.twice)],
];

/** Exports that a finished task left behind and the collector has not received. */
export function missing(figures) {
  return figures.tasks - figures.exports.arrived;
}

const rowsAfterWake = [
  ['workers then await a timer:', () => ''],
  ['  exports arrived, in all', (f) => count(f.exportsAfterWake.arrived)],
  ['  of them late (> 1 s)', (f) => count(f.exportsAfterWake.late)],
  ['  exported twice', (f) => count(f.exportsAfterWake.twice)],
];

/** The table: a column for each replay. */
export function table(all) {
  const shown = all.some((f) => f.exportsAfterWake) ? [...rows, ...rowsAfterWake] : rows;
  const lines = [
    ['', ...all.map((figures) => figures.name)],
    ...shown.map(([label, cell]) => [label, ...all.map(cell)]),
  ];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const text = lines.map((line) =>
    line
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]) : cell.padStart(Math.max(widths[column], 10)),
      )
      .join('   ')
      .trimEnd(),
  );
  text.splice(1, 0, '-'.repeat(Math.max(...text.map((line) => line.length))));
  return text.join('\n');
}

/** Lines below the table: what else was counted, and whether the results agree. */
export function remarks(all) {
  const lines = [];
  const say = (sentences) => lines.push(...wrapped(sentences));
  for (const figures of all) {
    if (figures.skipped > 0) {
      say(`${figures.name}: ${count(figures.skipped)} tasks skipped an unreadable file.`);
    }
    if (figures.failed > 0) {
      say(`${figures.name}: ${count(figures.failed)} tasks failed; the first:`);
      lines.push(...figures.errors.map((error) => `  ${error}`));
    }
    if (figures.refused > 0) {
      say(
        `${figures.name}: ${count(figures.refused)} of the missing exports were refused by the ` +
          "poster's full buffer (10,000 a worker).",
      );
    }
  }
  if (all.length > 1) {
    say(
      digestsAgree(all)
        ? 'All pools returned the same digests and sizes.'
        : 'The pools returned DIFFERENT digests or sizes: a file changed between the runs, or a ' +
            'result is wrong.',
    );
  }
  const names = (figures) => figures.map(({ name }) => name).join(' and ');
  const held = all.filter((figures) => missing(figures) > 0);
  const complete = all.filter((figures) => missing(figures) === 0);
  if (held.length > 0 && complete.length > 0) {
    const compare =
      complete.length > 1
        ? ` Compare the files/s of ${names(complete)}, which did equal work.`
        : '';
    say(
      'files/s includes the CPU time of the exports that a pool let run; the missing ones cost ' +
        `${names(held)} none.${compare}`,
    );
  }
  return lines;
}

/** The text in lines as wide as a narrow terminal, broken at spaces. */
function wrapped(text) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= kWidth) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

export function digestsAgree(all) {
  return all.every((figures) => figures.digestSum === all[0].digestSum);
}

export function count(number) {
  return number.toLocaleString('en-US');
}

export function rate(perSecond) {
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

function milliseconds(nanoseconds) {
  return `${(nanoseconds / 1e6).toFixed(1)} ms`;
}
