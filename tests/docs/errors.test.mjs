// The page of errors has a section for each error code that the package declares, and for no other.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { pages, read, sections } from './support/pages.mjs';

const declared = (() => {
  const text = readFileSync(new URL('../../dist/errors.d.ts', import.meta.url), 'utf8').replace(
    /\/\*[^]*?\*\//g,
    '',
  );
  const [, union] = /type CenoteErrorCode =([^;]*);/.exec(text);
  return Array.from(union.matchAll(/'([^']+)'/g), ([, code]) => code).sort();
})();

it('the declaration of the codes can be read', () => {
  assert.ok(declared.includes('ERR_CENOTE_QUEUE_FULL'));
});

it('the page has a section for exactly the declared codes', () => {
  const headings = sections('errors.md').map(
    ({ heading }) => /^`(ERR_CENOTE_\w+)`$/.exec(heading)?.[1],
  );
  assert.deepEqual(headings.filter((code) => code !== undefined).sort(), declared);
});

it('each of these sections says what happened and what to do', () => {
  for (const { heading, text } of sections('errors.md')) {
    if (!/^`ERR_CENOTE_\w+`$/.test(heading)) continue;
    assert.match(text, /^\*\*What happened\.\*\* \S/m, heading);
    assert.match(text, /^\*\*What to do\.\*\* \S/m, heading);
  }
});

it('no page names a code that there is not', () => {
  for (const page of pages) {
    for (const [code] of read(page).matchAll(/ERR_CENOTE_\w+/g))
      assert.ok(declared.includes(code), `${page}: ${code}`);
  }
});
