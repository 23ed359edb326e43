/**
 * The parent's side of the collector: starts its process, reads its counts, ends it.
 *
 * `counts` is at most 100 ms old; `settle()` brings it up to date. A collector
 * that dies before `close()` was called makes `failed` reject.
 */
import { fork } from 'node:child_process';
import { on, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PlainError } from './errors.mjs';

const kServer = fileURLToPath(new URL('collector-server.mjs', import.meta.url));

export class Collector {
  counts = { arrived: 0, late: 0, twice: 0, deliveries: 0 };
  port = 0;
  failed;
  #child;
  #closing = false;
  #questions = 0;

  /** Resolves once the collector listens. */
  static async start() {
    const collector = new Collector();
    await collector.#start();
    return collector;
  }

  async #start() {
    // An inherited --inspect or --test flag is not meant for this process.
    this.#child = fork(kServer, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child.on('message', (message) => {
      if (message.counts) this.counts = message.counts;
    });
    this.failed = new Promise((_, reject) => {
      this.#child.once('error', reject);
      this.#child.once('exit', (code, signal) => {
        if (!this.#closing) {
          const how = signal ?? `exit code ${code}`;
          reject(new PlainError(`the collector ended unexpectedly (${how})`));
        }
      });
    });
    // Whoever waits for it sees it; it must not end the process when nobody does.
    this.failed.catch(() => {});
    const [message] = await Promise.race([once(this.#child, 'message'), this.failed]);
    this.port = message.port;
  }

  /** Resolves with counts that are not older than the call. */
  async settle() {
    this.#questions += 1;
    const question = this.#questions;
    this.#child.send({ question });
    const answered = (async () => {
      for await (const [message] of on(this.#child, 'message')) {
        if (message.question === question) return;
      }
    })();
    await Promise.race([answered, this.failed]);
    return this.counts;
  }

  async close() {
    this.#closing = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    await exited;
  }
}
