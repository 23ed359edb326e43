/**
 * Tests of the export replay: its parts one by one, then the program as users run it.
 *
 * The whole program is run with cenote and piscina, so the addon must be built.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { createHistogram } from 'node:perf_hooks';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import clockModule from './clock.cjs';
import { Collector } from './collector.mjs';
import { remarks, table } from './table.mjs';
import { walk } from './walk.mjs';

const digestFile = createRequire(import.meta.url)('./task.cjs');
const kMain = fileURLToPath(new URL('main.mjs', import.meta.url));

let scratch;
before(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'export-replay-'));
});
after(() => {
  fs.chmodSync(scratch, 0o700);
  fs.rmSync(scratch, { recursive: true, force: true });
});

/** Makes a folder with the given files (name: content) and returns its path. */
function folder(name, files = {}) {
  const root = path.join(scratch, name);
  fs.mkdirSync(root);
  for (const [file, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), content);
  }
  return root;
}

/** Starts the program; `closed` resolves when it *and its collector* have let go of its output. */
function start(...args) {
  const child = spawn(process.execPath, [kMain, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const closed = once(child, 'close').then(([code, signal]) => ({ code, signal, ...output }));
  return { child, output, closed };
}

/** The cells of the table's row that begins with `label`. */
function row(stdout, label) {
  const line = stdout.split('\n').find((candidate) => candidate.trim().startsWith(label));
  assert.ok(line, `no row '${label}' in:\n${stdout}`);
  return line
    .slice(line.indexOf(label) + label.length)
    .trim()
    .split(/\s{2,}/);
}

describe('walk', () => {
  const all = async (root, options) => {
    const found = [];
    const defaults = { excluded: new Set(), limit: Infinity, onUnreadable: assert.fail };
    for await (const file of walk(root, { ...defaults, ...options })) {
      found.push(path.relative(root, file));
    }
    return found.sort();
  };

  test('symlinks_are_not_followed_and_excluded_folders_not_entered', async () => {
    const root = folder('walk', { a: '1', 'b/c': '2', 'b/.git/x': '3', 'node_modules/y': '4' });
    fs.symlinkSync(root, path.join(root, 'b', 'loop'));
    fs.symlinkSync(path.join(root, 'nowhere'), path.join(root, 'dangling'));
    const others = [];
    const found = await all(root, {
      excluded: new Set(['.git', 'node_modules']),
      onOther: (other) => others.push(path.basename(other)),
    });
    assert.deepEqual(found, ['a', path.join('b', 'c')]);
    assert.deepEqual(others.sort(), ['dangling', 'loop']);
  });

  test('limit_ends_the_walk', async () => {
    const root = folder('limit', { a: '', b: '', c: '' });
    assert.equal((await all(root, { limit: 2 })).length, 2);
  });
});

describe('task', { timeout: 60_000 }, () => {
  const records = [];
  let server;
  before(async () => {
    server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const record = JSON.parse(body);
        records.push(record);
        // The first delivery of record 7 is never answered.
        if (record.id === 7 && records.filter(({ id }) => id === 7).length === 1) return;
        response.statusCode = 204;
        response.end();
        server.emit('record', record);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const run = (id, file) => digestFile({ id, path: file, collectorPort: server.address().port });

  test('figures_are_returned_at_once_and_the_record_follows', async () => {
    const content = 'cenote '.repeat(1000);
    const root = folder('task', { file: content });
    const delivered = once(server, 'record');
    const result = run(1, path.join(root, 'file'));
    assert.deepEqual(result, {
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      gzipBytes: gzipSync(content).length,
      exportRefused: false,
    });
    const [record] = await delivered;
    assert.equal(record.id, 1);
    assert.equal(record.sha256, result.sha256);
  });

  test('large_file_is_streamed_to_the_same_digest', async () => {
    const content = Buffer.alloc(3 * 1024 * 1024, 'cenote ');
    const root = folder('large', { file: content });
    const delivered = once(server, 'record');
    const pending = run(2, path.join(root, 'file'));
    assert.ok(pending instanceof Promise);
    const result = await pending;
    assert.equal(result.bytes, content.length);
    assert.equal(result.sha256, createHash('sha256').update(content).digest('hex'));
    assert.ok(result.gzipBytes > 0 && result.gzipBytes < content.length);
    await delivered;
  });

  test('unreadable_path_is_a_result_and_exports_nothing', () => {
    const root = folder('gone');
    assert.deepEqual(run(3, path.join(root, 'gone')), { skipped: 'ENOENT' });
    assert.deepEqual(run(4, root), { skipped: 'not a regular file' });
  });

  test('delivery_that_gets_no_answer_is_made_again', async () => {
    const root = folder('retry', { file: 'x' });
    const answered = once(server, 'record');
    run(7, path.join(root, 'file'));
    await answered;
    assert.equal(records.filter(({ id }) => id === 7).length, 2);
  });
});

test('collector_counts_late_and_repeated_records', async () => {
  const collector = await Collector.start();
  try {
    const post = (record) =>
      fetch(`http://127.0.0.1:${collector.port}/records`, {
        method: 'POST',
        body: JSON.stringify(record),
      });
    const now = clockModule.clock();
    assert.equal((await post({ id: 0, finishedAt: now + 60_000 })).status, 204);
    assert.equal((await post({ id: 0, finishedAt: now - 60_000 })).status, 204);
    assert.equal((await post({ id: 5000, finishedAt: now - 60_000 })).status, 204);
    assert.equal((await post({ id: -1, finishedAt: now })).status, 400);
    const counts = await collector.settle();
    assert.deepEqual(counts, { arrived: 2, late: 1, twice: 1, deliveries: 3 });
  } finally {
    await collector.close();
  }
});

describe('table', () => {
  const histogram = () => {
    const latencies = createHistogram();
    latencies.record(12_345_678_901);
    return latencies;
  };
  const exports = { arrived: 1_234_567, late: 1_234_567, twice: 1_234_567 };
  const figures = (name, more) => ({
    name,
    tasks: 1_234_567,
    skipped: 0,
    failed: 0,
    refused: 0,
    errors: [],
    seconds: 1,
    latencyNs: histogram(),
    digestSum: 0n,
    exports,
    exportsAfterWake: exports,
    ...more,
  });
  const none = { exports: { arrived: 0, late: 0, twice: 0 } };

  test('three_pools_and_what_is_said_of_them_fit_80_columns', () => {
    const bad = { ...none, skipped: 1_234_567, failed: 0, refused: 1_234_567, digestSum: 1n };
    const all = [
      figures('cenote'),
      figures('piscina', bad),
      figures('piscina-atomics-off', { skipped: 1_234_567 }),
    ];
    for (const line of [...table(all).split('\n'), ...remarks(all)]) {
      assert.ok(line.length <= 80, line);
    }
  });

  test('pools_to_compare_are_named_only_where_others_held_exports_back', () => {
    const said = (...all) => remarks(all).join(' ');
    assert.match(
      said(figures('a'), figures('b', none), figures('c')),
      /the missing ones cost b none\. Compare the files\/s of a and c, which did equal work\./,
    );
    assert.match(said(figures('a'), figures('b', none)), /cost b none\.$/);
    assert.doesNotMatch(said(figures('a'), figures('c')), /files\/s/);
    assert.doesNotMatch(said(figures('a', none), figures('b', none)), /files\/s/);
  });
});

describe('program', { timeout: 120_000 }, () => {
  test('wrong_path_is_one_line_and_exit_code_1', async () => {
    const file = path.join(folder('wrong', { file: '' }), 'file');
    for (const [wrong, reason] of [
      [path.join(scratch, 'missing'), 'no such folder'],
      [file, 'not a folder'],
    ]) {
      const { code, stdout, stderr } = await start('--dir', wrong).closed;
      assert.equal(stderr, `export-replay: ${wrong}: ${reason}\n`);
      assert.equal(stdout, '');
      assert.equal(code, 1);
    }
  });

  test('wrong_option_shows_the_usage_and_exit_code_1', async () => {
    for (const args of [['--bogus'], ['--limit', '0'], ['--pools', 'nonesuch'], ['stray']]) {
      const { code, stderr } = await start(...args).closed;
      assert.match(stderr, /^export-replay: /);
      assert.match(stderr, /Usage: npm start/);
      assert.equal(code, 1);
    }
  });

  test('pools_are_those_that_are_named_in_that_order', async () => {
    const root = folder('pools', { file: 'x' });
    const { code, stdout } = await start(
      '--dir',
      root,
      '--pools',
      'piscina-atomics-off,cenote',
      '--repeat',
      '2',
    ).closed;
    assert.match(stdout, /^ +piscina-atomics-off +cenote$/m);
    assert.deepEqual(row(stdout, 'tasks (one file each)'), ['2', '2']);
    assert.equal(code, 0);
  });

  test('empty_folder_is_said_and_no_error', async () => {
    const root = folder('empty');
    const { code, stdout } = await start('--dir', root).closed;
    assert.equal(stdout, `No files under ${root}.\n`);
    assert.equal(code, 0);
  });

  test('unreadable_file_and_folder_are_named_and_skipped', async () => {
    const root = folder('unreadable', { readable: 'x' });
    const names = makeUnreadable(root);
    const run = await start('--dir', root, '--pools', 'cenote', '--repeat', '2').closed;
    for (const name of names) {
      const mentions = run.stderr.split('\n').filter((line) => line.includes(name));
      assert.equal(mentions.length, 1, run.stderr);
      assert.match(mentions[0], /^skipped: /);
    }
    assert.match(run.stdout, /Skipped as unreadable: 1 file and 1 folder\./);
    assert.deepEqual(row(run.stdout, 'tasks (one file each)'), ['2']);
    assert.equal(run.code, 0);
  });

  test('cenote_delivers_every_export_and_the_count_sees_those_that_are_held_back', async () => {
    const files = {};
    for (let i = 0; i < 20; i += 1) files[`folder-${i % 3}/${i}`] = `${i} `.repeat(i * 500);
    const root = folder('full', files);
    const { code, stdout } = await start('--dir', root, '--repeat', '5').closed;
    assert.match(stdout, /^ +cenote +piscina +piscina-atomics-off$/m);
    assert.deepEqual(row(stdout, 'tasks (one file each)'), ['100', '100', '100']);
    const [arrived, , arrivedWithAtomicsOff] = row(stdout, 'exports arrived');
    const [missing, missingWithPiscina] = row(stdout, 'exports missing after 3 s');
    assert.equal(arrived, '100');
    assert.equal(missing, '0');
    // Not a test of piscina: these show that the count can be other than zero, and that the third
    // pool is another than the second.
    assert.notEqual(missingWithPiscina, '0');
    assert.equal(arrivedWithAtomicsOff, '100');
    assert.match(stdout, /All pools returned the same digests and sizes\./);
    assert.match(stdout.replaceAll('\n', ' '), /files\/s of cenote and piscina-atomics-off, which/);
    assert.equal(code, 0);
  });

  test('interrupt_closes_pool_and_collector_and_exits_with_130', async () => {
    const root = folder('interrupt', { file: 'x'.repeat(100_000) });
    const { child, output, closed } = start(
      '--dir',
      root,
      '--pools',
      'cenote',
      '--repeat',
      '1000000',
    );
    while (!output.stderr.includes('tasks to do')) {
      await Promise.race([once(child.stderr, 'data'), closed]);
      assert.equal(child.exitCode, null, output.stderr);
    }
    child.kill('SIGINT');
    const { code, signal, stderr } = await closed;
    assert.deepEqual({ code, signal }, { code: 130, signal: null });
    assert.doesNotMatch(stderr, /Error|error/);
  });
});

/**
 * Adds a file and a folder that cannot be read, and returns what their reports contain.
 *
 * Permissions do not stop root; for it the names are no valid UTF-8, which
 * Node's path strings cannot express.
 */
function makeUnreadable(root) {
  if (process.getuid?.() === 0) {
    const name = (prefix) => Buffer.concat([Buffer.from(`${root}/${prefix}`), Buffer.from([0xff])]);
    fs.writeFileSync(name('secret-file'), 'x');
    fs.mkdirSync(name('secret-folder'));
  } else {
    fs.writeFileSync(path.join(root, 'secret-file'), 'x', { mode: 0 });
    fs.mkdirSync(path.join(root, 'secret-folder'), { mode: 0 });
  }
  return ['secret-file', 'secret-folder'];
}
