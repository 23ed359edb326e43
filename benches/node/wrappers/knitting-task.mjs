// knitting's own kind of task, around a shared handler. Its workers import this module by the
// address that the pool has, so the address says where both are:
// `?knitting=URL of its entry&handler=path of the handler`.

import { createRequire } from 'node:module';

const { searchParams } = new URL(import.meta.url);
const { task } = await import(searchParams.get('knitting'));

export const run = task({ f: createRequire(import.meta.url)(searchParams.get('handler')) });
