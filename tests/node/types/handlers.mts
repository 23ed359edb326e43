// What a pool takes from the types of its handlers' file, and what the compiler must refuse then.
// Compiled, never run.

import { Pool } from 'cenote';
import type { Image } from './tasks.mjs';

/** Compiles only if both types are the same, and neither is `any`. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<T extends true>(): T | undefined {
  return undefined;
}

const filename = new URL('./tasks.mjs', import.meta.url);
const pool = new Pool<typeof import('./tasks.mjs')>({ filename });

// run()
const length = pool.run('text');
holds<Same<typeof length, Promise<number>>>();
const image = pool.run({ width: 4 }, { name: 'resize', timeout: 5 });
holds<Same<typeof image, Promise<Image>>>();
const verdict = pool.run(4, { name: 'later' });
holds<Same<typeof verdict, Promise<boolean>>>();
const other = pool.run<number>('anything', { filename: './other.js', name: 'x' });
holds<Same<typeof other, Promise<number>>>();
// @ts-expect-error the default export takes a string
void pool.run(5);
// @ts-expect-error there is no such export
void pool.run('text', { name: 'resise' });
// @ts-expect-error it takes an image
void pool.run('text', { name: 'resize' });
// @ts-expect-error it is no handler
void pool.run(1, { name: 'version' });
// @ts-expect-error the worker calls it itself
void pool.run(undefined, { name: 'setup' });

// tasks
const { resize, noise, maybe, lines: _lines } = pool.tasks;
const resized = resize({ width: 3 }, { signal: AbortSignal.timeout(5), priority: 5 });
holds<Same<typeof resized, Promise<Image>>>();
const bytes = noise();
holds<Same<Awaited<typeof bytes>['length'], number>>();
void maybe();
void maybe(4);
// @ts-expect-error it takes an image
void resize('text');
// @ts-expect-error it must have one
void resize();
// @ts-expect-error the name is the function's own
void resize({ width: 3 }, { name: 'noise' });
// @ts-expect-error there is no such export
void pool.tasks.resise;
// @ts-expect-error it is no handler
void pool.tasks.version;
void _lines;

// stream() and map()
for await (const line of pool.stream(3, { name: 'lines' })) holds<Same<typeof line, string>>();
for await (const result of pool.map([{ width: 1 }], { name: 'resize' }))
  holds<Same<typeof result, Image>>();
for await (const result of pool.map(['text'], { concurrency: 4 }))
  holds<Same<typeof result, number>>();
// @ts-expect-error it takes images
pool.map(['text'], { name: 'resize' });

// A type that is no module says what it said before.
const dates = new Pool<Date, number>();
const time = dates.run(new Date());
holds<Same<typeof time, Promise<number>>>();
const records = new Pool<{ readonly id: number }, string>();
const text = records.run({ id: 1 });
holds<Same<typeof text, Promise<string>>>();
const untyped = new Pool();
const something = untyped.tasks['anything']?.(5);
holds<Same<typeof something, Promise<unknown> | undefined>>();
