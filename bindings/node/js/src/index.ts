// The package's public face. What is not exported here is not public.

import { Pool as PoolClass } from './pool.js';
import type { PoolConstructor } from './tasks.js';

/** A pool of workers. The class itself, with what the type of a handlers' file says. */
export const Pool: PoolConstructor = PoolClass as PoolConstructor;
export type Pool<Payload = unknown, Result = unknown> = PoolClass<Payload, Result>;

export type { PoolEvents } from './pool-events.js';
export type { Coalesce, RunOptions } from './run-options.js';
export type { Lane, LaneOptions, LaneStats } from './lane.js';
export type { MapTransform } from './map-streams.js';
export type { MapOptions, MapOutcome } from './map.js';
export type { Advice } from './offloading.js';
export type { RetryOptions } from './retry-options.js';
export type { RecycleOptions } from './renewal-options.js';
export type { PoolConstructor, PoolOf, TaskFunction, Tasks } from './tasks.js';
export type { StreamOptions } from './stream.js';
export type { OptionSource, PoolOptions, ResolvedOptions, Runtime } from './options.js';
export type { PoolStats, TaskCounts, WaitStages, WireCounts, WorkerStats } from './stats.js';
export type { BackgroundCounts, LatencySummaries, LatencySummary } from './owner/recorder.js';
export { AbortError, CenoteError, type CenoteErrorCode } from './errors.js';
export { move } from './wire/move.js';
export type { TaskTrace } from './owner/tracing.js';
export type { Handler, TaskContext } from './worker/task-context.js';
export { contextValues, type ContextValues } from './worker/task-values.js';
