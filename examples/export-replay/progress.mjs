/**
 * What the user sees while the replay runs, on standard error.
 *
 * On a terminal one line is rewritten at most ten times a second; elsewhere
 * (a pipe, a log) a plain line is printed at the start of each phase and then every
 * 2 s. Messages that stay, such as
 * the name of an unreadable file, go through `note` so that they never collide
 * with the rewritten line.
 */
import { performance } from 'node:perf_hooks';

const kNamesShown = 20;

export class Progress {
  #stream;
  #everyMs;
  #lastAt = -Infinity;
  #phase = '';
  #lineShown = false;
  /** Unreadable paths already reported, so that later passes stay silent. */
  #named = new Set();

  constructor(stream = process.stderr) {
    this.#stream = stream;
    this.#everyMs = stream.isTTY ? 100 : 2000;
  }

  /**
   * Shows the text that `describe` makes, unless the phase is the same and its last text recent.
   */
  update(phase, describe) {
    const now = performance.now();
    if (phase === this.#phase && now - this.#lastAt < this.#everyMs) return;
    this.#phase = phase;
    this.#lastAt = now;
    this.#show(describe());
  }

  /** Prints a line that stays. */
  note(text) {
    this.clear();
    this.#stream.write(`${text}\n`);
  }

  /** Names a path that is passed over, once; the first 20, since there may be thousands. */
  unreadable(path, reason) {
    if (this.#named.size >= kNamesShown || this.#named.has(path)) return;
    this.#named.add(path);
    this.note(`skipped: ${printable(path)} (${reason})`);
    if (this.#named.size === kNamesShown) {
      this.note('skipped: more of them are counted, but not named');
    }
  }

  /** Takes the rewritten line off the terminal. */
  clear() {
    if (!this.#lineShown) return;
    this.#stream.write('\r\x1b[K');
    this.#lineShown = false;
  }

  #show(text) {
    if (!this.#stream.isTTY) {
      this.#stream.write(`${text}\n`);
      return;
    }
    // A line that wraps could not be rewritten.
    const width = (this.#stream.columns || 80) - 1;
    this.#stream.write(`\r\x1b[K${text.slice(0, width)}`);
    this.#lineShown = true;
  }
}

/** File names may hold anything; control characters must not reach the terminal. */
export function printable(path) {
  return path.replace(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
