// The HTTP server that detached calls go to: answers each request 50 ms after it has read it.
// It lives in the process that runs the benchmark, which waits meanwhile: neither the measured main
// thread nor a worker ever has to serve.

import { createServer } from 'node:http';
import { once } from 'node:events';

const kAnswerAfterMs = 50;

/** Listens on a free loopback port; the caller closes it with `close()`. */
export async function startCollector() {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => setTimeout(() => response.end('ok'), kAnswerAfterMs));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
