/**
 * Entry point of the export replay: command line, order of events, exit code.
 *
 * The result (what was done, the table) goes to standard output, everything else to standard
 * error. Ctrl-C closes pool and collector first and then exits with 130; a second Ctrl-C exits at
 * once.
 */
import { constants } from 'node:os';
import { PlainError } from './errors.mjs';
import { kEnoughTasks, kWakeMs, parseOptions, usage } from './options.mjs';
import { kThreads, load } from './pools.mjs';
import { printable, Progress } from './progress.mjs';
import { kWaitAfterLoadMs, replay } from './replay.mjs';
import { survey } from './survey.mjs';
import { count, digestsAgree, rate, remarks, table } from './table.mjs';

const progress = new Progress();
const stop = new AbortController();
let stopCode;

function stopWith(code) {
  if (stop.signal.aborted) process.exit(stopCode);
  stopCode = code;
  process.exitCode = code;
  stop.abort();
}
for (const name of ['SIGINT', 'SIGTERM']) {
  process.on(name, () => stopWith(128 + constants.signals[name]));
}
// A reader that went away (`| head`) is an end like any other, not a crash.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
    if (!stop.signal.aborted) stopWith(128 + constants.signals.SIGPIPE);
  });
}

try {
  const code = await main(parseOptions(process.argv.slice(2)));
  process.exitCode = stopCode ?? code;
} catch (error) {
  progress.clear();
  if (!stop.signal.aborted) {
    process.exitCode = 1;
    const plain = error instanceof PlainError || error.syscall !== undefined;
    console.error(`export-replay: ${plain ? error.message : error.stack}`);
    if (error.withUsage) console.error(`\n${usage}`);
  }
}

async function main(options) {
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const { root, excluded, limit, concurrency } = options;
  const wakeMs = options.wake ? kWakeMs : 0;
  const { signal } = stop;
  const onUnreadable = (path, reason) => progress.unreadable(path, reason);

  const pools = [];
  for (const name of options.pools) pools.push({ name, createPool: await load(name) });

  const found = await survey(root, {
    excluded,
    limit,
    signal,
    onUnreadable,
    onProgress: (files) =>
      progress.update(
        'survey',
        () => `looking at the files${files > 1 ? `: ${count(files)}` : ''}`,
      ),
  });
  progress.clear();
  if (found.readable === 0) {
    console.log(`No ${found.files === 0 ? '' : 'readable '}files under ${printable(root)}.`);
    return 0;
  }
  const passes = options.repeat ?? Math.max(1, Math.ceil(kEnoughTasks / found.readable));
  console.log(describe(options, found, passes));

  const all = [];
  for (const { name, createPool } of pools) {
    const plan = { name, createPool, root, excluded, limit, passes, concurrency, wakeMs, signal };
    const total = found.files * passes;
    const onProgress = (state) =>
      progress.update(name + state.phase, () => progressLine(state, total));
    all.push(await replay({ ...plan, onUnreadable, onProgress }));
    progress.clear();
  }
  console.log(`\n${table(all)}\n`);
  for (const line of remarks(all)) console.log(line);
  return all.some((figures) => figures.failed > 0) || !digestsAgree(all) ? 1 : 0;
}

function describe({ root, excluded, concurrency, repeat }, found, passes) {
  const lines = [
    `${plural(found.files, 'file')} (${megabytes(found.bytes)}) under ${printable(root)}`,
  ];
  if (excluded.size > 0) lines.push(`Left out: ${[...excluded].join(', ')}.`);
  if (found.others > 0) {
    lines.push(
      `Left out: ${plural(found.others, 'symlink or special file', 'symlinks and special files')}.`,
    );
  }
  const unreadable = [
    [found.files - found.readable, 'file'],
    [found.closedFolders, 'folder'],
  ].filter(([number]) => number > 0);
  if (unreadable.length > 0) {
    const list = unreadable.map(([number, noun]) => plural(number, noun)).join(' and ');
    lines.push(`Skipped as unreadable: ${list}.`);
  }
  if (passes > 1) {
    const why = repeat ? '' : `, since fewer than ${count(kEnoughTasks)} tasks give no useful p99`;
    lines.push(`Each file is processed ${count(passes)} times${why}.`);
  }
  lines.push(
    `Per pool: ${kThreads} workers, ${count(concurrency)} tasks in flight; ` +
      `then ${kWaitAfterLoadMs / 1000} s without load, then the count.`,
  );
  return lines.join('\n');
}

function progressLine(state, total) {
  const done = state.tasks + state.skipped + state.failed;
  const { arrived } = state.exports;
  if (state.phase !== 'load') {
    const left = (state.leftMs / 1000).toFixed(1);
    const what = state.phase === 'wait' ? 'load over' : 'workers await a timer';
    return (
      `${state.name}: ${what}, counting in ${left} s; ` +
      `exports arrived ${count(arrived)} of ${count(state.tasks)}`
    );
  }
  if (done === 0) return `${state.name}: ${count(total)} tasks to do`;
  const percent = Math.min(100, Math.floor((done / total) * 100));
  return (
    `${state.name}: ${count(done)} of ${count(total)} tasks (${percent} %), ` +
    `${rate(done / state.seconds)}/s; exports arrived ${count(arrived)}`
  );
}

function plural(number, noun, nouns = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : nouns}`;
}

function megabytes(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${count(Math.round(bytes / 1e6))} MB`;
}
