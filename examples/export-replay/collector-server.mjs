/**
 * The collector's process: an HTTP server that receives records and counts them.
 *
 * It runs in a process of its own, so that neither the load nor the pool under
 * test can hold it up. Every POST is answered after 50 ms. A record counts as
 * arrived when its body is complete, whether or not the poster ever reads the
 * answer; it is late if that is more than 1 s after the end of its task.
 *
 * Protocol with the parent, over the IPC channel: `{ port }` once it listens,
 * then its `{ counts }` every 100 ms, and `{ counts, question }` as the answer to
 * `{ question }`. It ends when the channel closes, thus also when the parent is
 * killed.
 */
import http from 'node:http';
import clockModule from './clock.cjs';

const { clock } = clockModule;

const kAnswerAfterMs = 50;
const kLateAfterMs = 1000;
const kReportEveryMs = 100;
const kMaxBodyBytes = 64 * 1024;

const counts = { arrived: 0, late: 0, twice: 0, deliveries: 0 };
/** How often each task's record came, by task id; grows by doubling. */
let seen = new Uint8Array(4096);

const server = http.createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => {
    body += chunk;
    if (body.length > kMaxBodyBytes) request.destroy();
  });
  request.on('end', () => {
    const arrivedAt = clock();
    const status = count(body, arrivedAt) ? 204 : 400;
    setTimeout(() => {
      response.statusCode = status;
      response.end();
    }, kAnswerAfterMs);
  });
});

// A connection that the server closes for idleness, at the moment the poster
// uses it again, would fail an attempt for a reason this replay is not about.
server.keepAliveTimeout = 120_000;

// Ctrl-C reaches the whole process group; the parent decides when this one ends.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
// A report on its way when the parent goes away fails before 'disconnect' comes.
process.on('error', () => process.exit());
process.on('message', ({ question }) => report(question));

server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  process.send({ port: server.address().port });
  setInterval(() => report(), kReportEveryMs);
});

function report(question) {
  if (process.connected) process.send({ counts, question });
}

function count(body, arrivedAt) {
  let record;
  try {
    record = JSON.parse(body);
  } catch {
    return false;
  }
  const { id, finishedAt } = record ?? {};
  if (!Number.isSafeInteger(id) || id < 0 || typeof finishedAt !== 'number') return false;

  while (id >= seen.length) {
    const larger = new Uint8Array(seen.length * 2);
    larger.set(seen);
    seen = larger;
  }
  counts.deliveries += 1;
  if (seen[id] === 0) {
    counts.arrived += 1;
    if (arrivedAt - finishedAt > kLateAfterMs) counts.late += 1;
  } else if (seen[id] === 1) {
    counts.twice += 1;
  }
  if (seen[id] < 255) seen[id] += 1;
  return true;
}
