// Typed handlers: what the exports of a handler's file say about the tasks of a pool.
//
// `Pool<typeof import('./tasks.js')>` takes its types from the file: `run()`, `stream()` and
// `map()` know the names of its exports, their tasks and their results, and `pool.tasks` has a
// function for each. A type that is a task, and no module, means what it says: `Pool<Task,
// Result>`.

import { SafeMap } from './base/intrinsics.js';
import type { MapOptions } from './map.js';
import type { PoolOptions } from './options.js';
import type { Pool } from './pool.js';
import type { OtherFile, RunOptions } from './run-options.js';
import type { StreamOptions } from './stream.js';

/** Any handler. */
type AnyHandler = (...args: never[]) => unknown;

/** What a task may be that has methods and yet is no module. */
type Cloneable =
  | readonly unknown[]
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ArrayBufferView
  | ArrayBuffer
  | SharedArrayBuffer
  | Date
  | RegExp
  | Error
  | Blob
  | AnyHandler;

type FunctionNames<M> = {
  [K in keyof M]-?: Awaited<M[K]> extends AnyHandler ? K : never;
}[keyof M] &
  string;

/** The names of a module's handlers; `never` for a type that is no module. */
type HandlerNames<M> = unknown extends M
  ? never
  : M extends Cloneable | string | number | bigint | boolean | null | undefined
    ? never
    : Exclude<FunctionNames<M>, 'setup' | 'teardown'>;

type IsModule<M> = [HandlerNames<M>] extends [never] ? false : true;

type HandlerOf<M, N> = N extends keyof M ? Extract<Awaited<M[N]>, AnyHandler> : never;

/** What a handler takes. */
type TaskOf<M, N> = [N] extends [never]
  ? never
  : Parameters<HandlerOf<M, N>> extends readonly [infer T, ...unknown[]]
    ? T
    : Parameters<HandlerOf<M, N>> extends readonly [(infer T)?, ...unknown[]]
      ? T | undefined
      : undefined;

/** What a handler gives; `unknown` where it is none. */
type ResultOf<M, N> = N extends HandlerNames<M> ? Awaited<ReturnType<HandlerOf<M, N>>> : unknown;

/** The parts of what a handler gives. */
type PartOf<R> = R extends AsyncIterable<infer T> | Iterable<infer T> ? Awaited<T> : unknown;

/** A function for each handler of a module. */
export type Tasks<M> = {
  readonly [N in HandlerNames<M>]: TaskFunction<TaskOf<M, N>, ResultOf<M, N>>;
};

/** What a pool's type says of handlers beside its own. */
export interface Typing {
  /** The options of calls whose types it does not know. */
  readonly options: RunOptions;
  /** What options say of the handler where it may also be the pool's own. */
  readonly handler: object;
  readonly tasks: object;
}

/** Nothing. */
export interface Untyped extends Typing {
  readonly options: RunOptions;
  readonly handler: object;
  readonly tasks: { readonly [name: string]: TaskFunction<unknown, unknown> };
}

/** Where the type is a module, only handlers of other files are unknown. */
interface Typed<M> extends Typing {
  readonly options: OtherFile;
  readonly handler:
    | { readonly name?: undefined; readonly filename?: undefined }
    | { readonly filename: string | URL };
  readonly tasks: Tasks<M>;
}

type Named<N> = { readonly name: N; readonly filename?: undefined };

/** The calls of a pool whose type is a module. */
interface TypedCalls<M> {
  run<N extends HandlerNames<M>>(
    task: TaskOf<M, N>,
    options: RunOptions & Named<N>,
  ): Promise<ResultOf<M, N>>;
  map<N extends HandlerNames<M>>(
    source: Iterable<TaskOf<M, N>> | AsyncIterable<TaskOf<M, N>>,
    options: MapOptions & Named<N> & { readonly stopOnError?: true },
  ): AsyncGenerator<ResultOf<M, N>, void, undefined>;
  stream<N extends HandlerNames<M>>(
    task: TaskOf<M, N>,
    options: StreamOptions & Named<N>,
  ): AsyncGenerator<PartOf<ResultOf<M, N>>, void, undefined>;
}

/** A pool of a type that is a module, as of `typeof import('./tasks.js')`, or a task. */
export type PoolOf<M> =
  IsModule<M> extends true
    ? Pool<TaskOf<M, 'default'>, ResultOf<M, 'default'>, Typed<M>> & TypedCalls<M>
    : Pool<M>;

/** Makes pools. */
export interface PoolConstructor extends Pick<typeof Pool, keyof typeof Pool> {
  new <M = unknown>(options?: PoolOptions): PoolOf<M>;
  new <Payload, Result>(options?: PoolOptions): Pool<Payload, Result>;
}

type Options = Omit<RunOptions, 'name' | 'filename'>;

/** Runs a task of one handler. */
export type TaskFunction<T, R> = undefined extends T
  ? (task?: T, options?: Options) => Promise<R>
  : (task: T, options?: Options) => Promise<R>;

type Run = (task: unknown, options: unknown) => Promise<unknown>;

/** An object with a function for each name that it is asked for. */
export function tasksOf(run: Run): Untyped['tasks'] {
  const functions = new SafeMap<string, TaskFunction<unknown, unknown>>();
  const functionOf = (name: string): TaskFunction<unknown, unknown> => {
    let found = functions.get(name);
    if (found === undefined) {
      found = (task, options) => run(task, options === undefined ? { name } : { ...options, name });
      functions.set(name, found);
    }
    return found;
  };
  return new Proxy({ __proto__: null } as never as Untyped['tasks'], {
    // Whoever awaits the object, or shows it, asks for what is no handler.
    get: (_, name) => (typeof name === 'string' && name !== 'then' ? functionOf(name) : undefined),
  });
}
