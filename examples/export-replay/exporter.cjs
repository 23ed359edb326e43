/**
 * The poster: delivers records to the collector over HTTP, at least once.
 *
 * `leaveBehind` starts a delivery and returns at once; the caller gets nothing
 * to wait for. An attempt is given up 1 s after it began and made again after
 * a pause, four attempts in all. The time limit covers everything, as a service
 * sees it: the wait for a socket, the connection, the request, the answer. So an
 * attempt whose answer came in time, but was read too late, is made again, and
 * the collector gets the record twice.
 *
 * Each worker has its own agent and its own bounded buffer. 256 sockets carry
 * 5,120 records a second to a collector that answers after 50 ms, more than a
 * worker can produce: the load does not by itself make a record late. A full
 * buffer refuses the record, as telemetry exporters do, so that memory stays
 * bounded when deliveries make no progress.
 */
'use strict';

const http = require('node:http');
const { setTimeout: delay } = require('node:timers/promises');

const kAttemptTimeoutMs = 1000;
const kAttempts = 4;
const kRetryPauseMs = 100;
const kMaxSockets = 256;
const kMaxUndelivered = 10_000;

const agent = new http.Agent({ keepAlive: true, maxSockets: kMaxSockets });
let undelivered = 0;

/** Starts the delivery of `record`; false if the buffer is full and it was refused. */
exports.leaveBehind = function leaveBehind(record, port) {
  if (undelivered >= kMaxUndelivered) return false;
  undelivered += 1;
  void deliver(JSON.stringify(record), port).finally(() => {
    undelivered -= 1;
  });
  return true;
};

// Never rejects: a record that could not be delivered is given up, and is then
// missing at the collector, which is where the replay counts.
async function deliver(body, port) {
  for (let attempt = 1; attempt <= kAttempts; attempt += 1) {
    try {
      await post(body, port);
      return;
    } catch {
      await delay(kRetryPauseMs * attempt);
    }
  }
}

function post(body, port) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      agent,
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/records',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    const deadline = setTimeout(() => {
      request.destroy(new Error(`no answer within ${kAttemptTimeoutMs} ms`));
    }, kAttemptTimeoutMs);
    const settle = (error) => {
      clearTimeout(deadline);
      if (error) reject(error);
      else resolve();
    };
    request.on('error', settle);
    request.on('response', (response) => {
      response.on('error', settle);
      response.on('end', () => {
        settle(response.statusCode === 204 ? null : new Error(`status ${response.statusCode}`));
      });
      response.resume();
    });
    request.end(body);
  });
}
