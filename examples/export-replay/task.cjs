/**
 * The task that the pools run: SHA-256 and gzip size of one file.
 *
 * It returns the figures and *leaves behind* the export of the record: the
 * handler is done, the HTTP POST is not, and nobody waits for it. Nothing tells
 * the pool about that POST; this is the code of a service whose author trusted
 * the event loop. The same module runs on every pool, unchanged.
 *
 * A file of at most 1 MiB is read and compressed synchronously, as CPU-bound handlers mostly do. A
 * larger one is streamed: memory stays bounded, and no single task blocks its event loop for so
 * long (tens of milliseconds at most) that its own load, and not the pool, would make exports late.
 * A file that cannot be read is a result (`skipped`), not an error: errors are left for what the
 * pool itself gets wrong.
 */
'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { pipeline } = require('node:stream/promises');
const { setTimeout: delay } = require('node:timers/promises');
const { threadId } = require('node:worker_threads');
const zlib = require('node:zlib');
const { clock } = require('./clock.cjs');
const { leaveBehind } = require('./exporter.cjs');

const kStreamAboveBytes = 1024 * 1024;
const kWarmUpBytes = 256 * 1024;

// O_NONBLOCK: a FIFO put in the place of the file must not hang the worker.
// O_NOFOLLOW: nor may a symlink lead out of the folder. Windows has neither.
const kOpenFlags =
  fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0) | (fs.constants.O_NOFOLLOW ?? 0);

/**
 * @param {object} task
 * @param {number} task.id Numbers the tasks of one run from 0.
 * @param {string} task.path The file.
 * @param {number} task.collectorPort Where the record is posted, on loopback.
 * @param {boolean} [task.warmUp] Only load the code paths; read and post nothing.
 * @param {number} [task.sleepMs] Only await a timer: a task that lets the event loop turn.
 */
module.exports = function digestFile(task) {
  if (task.warmUp) return warmUp();
  if (task.sleepMs !== undefined) return delay(task.sleepMs);

  let file;
  try {
    file = fs.openSync(task.path, kOpenFlags);
    const stat = fs.fstatSync(file);
    if (!stat.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'ENOTREG' });
    if (stat.size > kStreamAboveBytes) {
      const streamed = streamedFigures(file);
      file = undefined; // the stream closes it
      return streamed.then((figures) => finish(task, figures), skipped);
    }
    const content = fs.readFileSync(file);
    return finish(task, figuresOf(content));
  } catch (error) {
    return skipped(error);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
};

function figuresOf(content) {
  return {
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    gzipBytes: zlib.gzipSync(content).length,
  };
}

async function streamedFigures(file) {
  const hash = createHash('sha256');
  const gzip = zlib.createGzip();
  let bytes = 0;
  let gzipBytes = 0;
  await pipeline(
    fs.createReadStream(null, { fd: file, highWaterMark: 256 * 1024 }),
    async function* tap(chunks) {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        hash.update(chunk);
        yield chunk;
      }
    },
    gzip,
    async (chunks) => {
      for await (const chunk of chunks) gzipBytes += chunk.length;
    },
  );
  return { bytes, sha256: hash.digest('hex'), gzipBytes };
}

function finish(task, figures) {
  const record = { id: task.id, finishedAt: clock(), ...figures };
  const accepted = leaveBehind(record, task.collectorPort);
  return { ...figures, exportRefused: !accepted };
}

// Only errors of the file system carry a `syscall`, or were made above; any
// other is a fault of this program and must surface as one.
function skipped(error) {
  if (error.syscall === undefined && error.code !== 'ENOTREG') throw error;
  return { skipped: error.code === 'ENOTREG' ? error.message : error.code };
}

function warmUp() {
  figuresOf(Buffer.alloc(kWarmUpBytes, threadId));
  return { threadId };
}
