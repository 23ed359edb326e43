// What a program builds for `cenote`: few crates, and the ones that its README says.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { cratesWith, table } from '../../scripts/lib/crates.mjs';
import { root } from './fixture.mjs';

describe('crates', () => {
  it('a program builds at most 15 for cenote, itself and cenote-park counted', () => {
    const crates = cratesWith(undefined);
    const has = (name) => crates.some((crate) => crate.startsWith(`${name} `));
    assert.ok(has('cenote') && has('cenote-park'), crates.join());
    const most = 15;
    assert.ok(crates.length <= most, `${crates.length} are more than ${most}: ${crates.join()}`);
  });

  it('the README of cenote has the table that the command prints', () => {
    const readme = readFileSync(join(root, 'crates', 'cenote', 'README.md'), 'utf8');
    assert.ok(readme.includes('`node scripts/crates.mjs`'));
    const expected = table();
    assert.ok(readme.includes(`\n${expected}\n`), `it should have:\n${expected}`);
  });
});
