// The pages under `docs/`, as the tests of them read them: their code blocks, their tables, their
// headings.
//
// A page's JavaScript is marked in the info string of its code block, after `js`, where GitHub does
// not show it:
//
//   ```js file=worker.mjs     a file that the programs of the section use
//   ```js run=before.mjs      a program of the section; the next ```text block is what it prints
//   ```js config=vite.config.js   a file of the section that tests/bundlers builds with
//
// A section reaches from one heading to the next. Its files lie in one folder, together with
// nothing of other sections. Two programs before one ```text block print the same: that is how
// "before" and "after" are held to each other.

import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../../../docs/', import.meta.url);

/** The names of all pages. */
export const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));

/** The text of a page. */
export function read(page) {
  return readFileSync(fileURLToPath(new URL(page, folder)), 'utf8').replaceAll('\r\n', '\n');
}

/**
 * The sections of a page: `heading`, `text` (all of it), and `blocks` ({ language, mark, name, code
 * }) in their order.
 */
export function sections(page) {
  const found = [{ heading: page, lines: [], blocks: [] }];
  let block;
  for (const line of read(page).split('\n')) {
    const section = found.at(-1);
    const fence = /^```(.*)$/.exec(line);
    if (block !== undefined) {
      if (fence === null) block.lines.push(line);
      else block = undefined;
    } else if (fence !== null) {
      const [, language, mark, name] = /^(\S*)(?: (file|run|config)=(\S+))?$/.exec(fence[1]) ?? [];
      if (language === undefined)
        throw new Error(`${page}: a code block that cannot be read: ${line}`);
      block = { language, mark, name, lines: [] };
      section.blocks.push(block);
    } else if (/^#{1,6} /.test(line)) {
      found.push({ heading: line.replace(/^#+ /, ''), lines: [], blocks: [] });
    }
    if (block === undefined) found.at(-1).lines.push(line);
  }
  if (block !== undefined) throw new Error(`${page}: a code block that does not end`);
  return found.map(({ heading, lines, blocks }) => ({
    heading,
    text: lines.join('\n'),
    blocks: blocks.map(({ lines: code, ...rest }) => ({ ...rest, code: `${code.join('\n')}\n` })),
  }));
}

/**
 * The programs of a section: `name`, and the text that it is said to print. Throws for a
 * JavaScript block without a mark, a program without such a text, and a text without a program.
 */
export function programs({ heading, blocks }) {
  const found = [];
  let waiting = [];
  for (const { language, mark, name, code } of blocks) {
    if (/^(js|javascript|mjs|cjs)$/.test(language)) {
      if (mark === undefined)
        throw new Error(
          `"${heading}": a JavaScript block that says neither file=, run= nor config=`,
        );
      if (mark === 'run') waiting.push(name);
    } else if (language === 'text') {
      if (waiting.length === 0)
        throw new Error(`"${heading}": a text block that no program prints`);
      for (const program of waiting) found.push({ name: program, prints: code });
      waiting = [];
    }
  }
  if (waiting.length > 0)
    throw new Error(`"${heading}": nothing says what ${waiting.join(', ')} prints`);
  return found;
}

/** The rows of the tables in a section's text, each an array of cells; without heads and rules. */
export function rows({ text }) {
  const lines = text.split('\n');
  const isRule = (line) => /^\|[-:| ]+\|$/.test(line ?? '');
  return lines
    .filter((line, i) => line.startsWith('|') && !isRule(line) && !isRule(lines[i + 1]))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

/** What is set as code in a text. */
export function codes(text) {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code]) => code);
}
