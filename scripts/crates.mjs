// Prints which crates a program builds for `cenote`, as the table that its README has.
//
// Usage: node scripts/crates.mjs

import { table } from './lib/crates.mjs';

process.stdout.write(`${table()}\n`);
